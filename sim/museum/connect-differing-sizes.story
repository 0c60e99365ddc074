story connect-differing-sizes: one node's disks are larger; the volume is as large as the smallest, also after everybody has been away.
set nodes 3
set larger-node 1
set requests 500
set length 20s
at 2s switch-over node=1
at 5s power-cut-all for=1s
at 8s promote node=1
at 10s blank-disk node=1 for=300ms
