story resync-to-older: a node is long away; the others go on through a node that has come later; no split brain when it returns.
set nodes 4
set requests 800
set length 25s
at 1s power-cut node=2 for=15s
at 2s blank-disk node=3 for=500ms
at 5s switch-over node=3
at 8s switch-over node=1
at 11s link-reset node=0 peer=1
expect primary 1
