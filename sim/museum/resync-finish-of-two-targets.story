story resync-finish2: one source, a quick target and a slow one; the quick one's end does not outdate the slow one.
set nodes 3
set mib 8
set requests 500
set length 20s
at 1s slow-disk node=2 for=10s arg=40
at 2s invalidate-remote node=0 peer=1
at 2s invalidate-remote node=0 peer=2
expect primary 0
