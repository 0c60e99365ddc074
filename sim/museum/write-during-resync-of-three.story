story write-during-resync: a node syncs from another Secondary's data while the Primary writes over a slow link.
set nodes 3
set initial-sync full
set resync-kib 4096
set requests 3000
set depth 16
set length 20s
at 1s cut-both node=0 peer=2 for=5s
at 7s slow-link for=4s arg=20
at 8s cut-both node=0 peer=2 for=100ms
at 12s link-reset node=1 peer=2
