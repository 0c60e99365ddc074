story io-errors-diskless: one after the other, the disks behind a Primary without a disk fail; its application sees nothing of it.
set nodes 3
set requests 600
set length 16s
at 1s detach-force node=0
at 2s write-errors node=1 for=1s arg=3
at 5s attach node=1
at 9s write-errors node=2 for=1s arg=3
at 11s attach node=2
