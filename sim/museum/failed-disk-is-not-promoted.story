story A disk that failed while its peer went on comes back: nobody promotes it before it has met the peer, whatever its record says.
set volumes 2
set depth 4
set requests 2000
at 1s dead-disk node=1 volume=0 for=500ms
at 3s cut-both for=30s
at 3500ms attach node=1 volume=0
at 4s power-cut node=0 for=30s
at 5s promote node=1
set length 36s
expect refused primary
