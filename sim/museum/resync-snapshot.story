story resync-snapshot: a running Primary's disk is replaced by a copy of itself of some seconds ago, then a Secondary's.
set nodes 3
set requests 800
set length 25s
at 1s old-disk node=0 for=5s
at 2s isolate node=1 for=1s
at 9s old-disk node=2 for=6s
at 10s isolate node=1 for=1s
expect any-split-brain
