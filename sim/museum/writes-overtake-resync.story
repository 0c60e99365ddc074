story write-during-resync: application writes overtake resync requests for the same blocks again and again, and win.
set mib 2
set spots 1
set depth 64
set requests 12000
set reads 0
set length 20s
at 1s invalidate node=1
at 2s invalidate node=1
at 3s invalidate node=1
at 4s invalidate node=1
at 5s invalidate node=1
at 6s invalidate node=1
at 7s invalidate node=1
at 8s invalidate node=1
at 9s invalidate node=1
at 10s invalidate node=1
at 11s invalidate node=1
at 12s invalidate node=1
at 13s invalidate node=1
at 14s invalidate node=1
at 15s invalidate node=1
at 16s invalidate node=1
at 17s invalidate node=1
at 18s invalidate node=1
expect primary 0
