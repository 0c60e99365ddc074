story switch-sync-source: the source of a resync dies; the target goes on from the other node, and becomes UpToDate.
set nodes 3
set mib 32
set resync-kib 1000
at 1s isolate node=2 for=1500ms
at 3500ms power-cut node=0 for=6s
