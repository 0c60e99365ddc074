story resync-from-weak: a target's source becomes weak, because a new Primary appears elsewhere; the target ends with that one's data.
set nodes 4
set resync-kib 800
set requests 600
set length 20s
at 1s power-cut node=3 for=2s
at 2s isolate node=0 for=9s
at 4s promote node=2
at 5s cut-both node=3 peer=2 for=3s
expect any-split-brain
