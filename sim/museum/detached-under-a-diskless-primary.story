story uuid-detach-resync: a server's disk is detached under a Primary without a disk: one new generation, a short resync.
set nodes 3
set mib 40
set spots 4
set requests 500
at 1s detach-force node=0
at 3s detach node=1
at 6s attach node=1
