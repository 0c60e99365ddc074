story Found by seed 787: the server of a Primary without a disk cannot flush, says so, and loses power: what comes back is not what was shown.
set write-through 0
set requests 400
set length 12s
at 1s detach-force node=0
at 4s flush-errors node=1 for=2s arg=3
at 5200ms power-cut node=1 for=500ms
