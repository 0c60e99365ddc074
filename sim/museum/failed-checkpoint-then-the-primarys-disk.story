story One disk of a peer dies, so that its checkpoint fails for all volumes; then the Primary's disk of another volume dies: that peer lacks some, though it follows.
set nodes 3
set volumes 2
set write-through 0
set requests 3000
set reads 0
set flushes 100
set depth 16
set initial-sync skip
set length 8s
at 2s dead-disk node=1 volume=1 for=70ms
at 2100ms dead-disk node=0 volume=0 for=40ms
at 5s dead-disk node=2 volume=1 for=70ms
