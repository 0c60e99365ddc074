story A third node comes back with a blank disk while the Primary changes: it gets a full copy of whoever is good.
set nodes 3
set requests 2000
set length 25s
at 2s blank-disk node=2 for=500ms
at 4s switch-over node=0 peer=1
at 8s failover node=0 for=5s
