story A Secondary goes down under load with writes to several volumes in its queue, and is promoted on its own: what it has must be a prefix of the stream, across volumes.
set protocol A
set volumes 3
set mib 16
set depth 16
set requests 6000
set reads 0
at 1900ms slow-disk node=1 volume=0 for=3s
at 2s down node=1
at 2050ms cut-both for=5s
at 4s failover node=1 for=200ms
set length 8s
expect any-split-brain
