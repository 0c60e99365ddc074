story resync-downstream-upstream: three generations; the two older ones meet first, then the newest comes back.
set nodes 3
set requests 3000
set length 30s
at 2s power-cut node=2 for=8s
at 4s power-cut node=1 for=8s
at 7s power-cut node=0 for=14s
at 16s connect node=1 peer=2
