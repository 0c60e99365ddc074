story busy-resync-start: a resync begins while writes are held up by a slow third peer.
set nodes 3
set protocol A
set mib 16
set requests 800
at 1s isolate node=1 for=1s
at 2s slow-link node=2 for=3s
expect primary 0
