story peer-acks, resync-reconciliation: the Primary's host dies under load; the others equalise what only one of them got.
set nodes 3
set depth 16
set requests 900
at 3s power-cut node=0 for=5s
