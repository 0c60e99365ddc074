story switch-primaries: the role goes round three nodes, by command and by the death of its holder.
set nodes 3
set requests 3000
set length 30s
at 2s switch-over node=0 peer=1
at 6s switch-over node=1 peer=2
at 10s failover node=0 for=5s
at 18s switch-over node=0 peer=1
at 24s failover node=2 for=4s
