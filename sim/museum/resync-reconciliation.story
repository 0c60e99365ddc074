story resync-reconciliation: one Secondary is behind in the Primary's stream when the Primary dies for a long time; the one ahead is its source.
set nodes 3
set depth 32
set requests 3000
set length 25s
at 3s cut-stream node=0 peer=2 for=400ms
at 3300ms power-cut node=0 for=15s
at 9s promote node=2
