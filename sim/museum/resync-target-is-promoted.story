story resync-target-primary, resync-target-promote-interrupt: a target cannot be promoted, with and without its source; then it can.
set nodes 3
set mib 8
set resync-kib 1000
set requests 500
set length 25s
at 1s demote node=0
at 2s invalidate node=1
at 3s promote node=1
at 4s isolate node=1 for=2s
at 5s promote node=1
at 18s promote node=1
