story resync-multiple-interrupt: two targets are interrupted and meet each other before the source.
set nodes 3
set resync-kib 1024
set requests 2500
set length 30s
at 1s isolate node=1 for=3s
at 1s isolate node=2 for=3s
at 6s isolate node=0 for=6s
at 14s link-reset node=1 peer=2
at 15s link-reset node=0 peer=1
expect primary 0
