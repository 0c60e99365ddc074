story All three hosts lose power under load: the activity logs of the Secondaries name what may differ between them.
set nodes 3
set depth 16
set write-through 0
set requests 900
at 3s power-cut-all node=0 for=2s
