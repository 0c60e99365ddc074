story A Primary that has flushed nothing loses power when it has sent its last digest: the verify is complete, and the cut takes away what it speaks about.
set write-through 0
set mib 16
set flushes 0
set zeroes 0
set requests 100
set length 8s
at 3990ms slow-disk node=1 for=1s arg=290
at 4s verify node=1 volume=0
at 4060ms power-cut node=0 for=300ms
