story resync-double-target: two nodes that missed different writes are resynced at the same time.
set nodes 3
set mib 32
set resync-kib 4000
at 1s disconnect node=0 peer=1
at 2s disconnect node=0 peer=2
at 4s connect node=0 peer=1
at 4s connect node=0 peer=2
expect primary 0
