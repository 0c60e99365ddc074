story A node is left behind by the Primary, which dies; the other Secondary brings it up. The old Primary is back, serves with that other one, and has not seen it.
set nodes 3
set protocol C
set initial-sync skip
set requests 1500
set resync-kib 100000
set depth 4
set length 24s
at 1s disconnect node=2 peer=0 for=30s
at 1s disconnect node=2 peer=1 for=1s
at 2s power-cut node=0 for=14s
at 12s connect node=2 peer=1
at 14s disconnect node=2 peer=1 for=20s
at 18s switch-over node=0 for=100ms
