story I6: a Secondary with a slow disk and a long queue loses power; what it keeps is a prefix of the Primary's epochs.
set protocol A
set depth 64
set requests 6000
set reads 0
set write-through 0
set length 20s
at 100ms slow-disk node=1 arg=30 for=19s
at 2s power-cut node=1 for=200ms
at 5s power-cut node=1 for=200ms
at 8s power-cut node=1 for=200ms arg=1
at 11s power-cut node=1 for=200ms
at 14s power-cut node=1 for=200ms
at 17s power-cut node=1 for=200ms
expect primary 0
