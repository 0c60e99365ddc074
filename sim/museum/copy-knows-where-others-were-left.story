story Two nodes are left behind by the Primary one after the other; the first comes back as its copy and meets the second: no split brain.
set nodes 3
set requests 1500
set initial-sync skip
set resync-kib 100000
set length 16s
at 1s disconnect node=1 peer=0
at 1s disconnect node=1 peer=2
at 3s disconnect node=2 peer=0
at 5s connect node=1 peer=0
at 8s disconnect node=1 peer=0
at 9s connect node=1 peer=2
