story uuid-disconnect-resync: servers leave a Primary without a disk, by order and by force, and come back.
set nodes 3
set requests 600
set length 14s
at 1s detach-force node=0
at 2s disconnect node=0 peer=1
at 4s connect node=0 peer=1
at 6s disconnect-force node=0 peer=2
at 8s connect node=0 peer=2
