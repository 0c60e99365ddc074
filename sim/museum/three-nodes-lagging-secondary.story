story resync-reconciliation: a Secondary behind a slow link lags when the Primary dies; the other one is ahead of it.
set nodes 3
set protocol A
set requests 900
at 2500ms slow-link node=2 for=2s
at 3s power-cut node=0 for=4s
