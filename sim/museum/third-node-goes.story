story Found by seed 105 of three: the third node is taken out while the Primary has no disk for a volume; it goes on as one of three.
set nodes 3
set requests 500
at 1s detach-force node=0
at 2s del-peer node=0 peer=2 for=3s arg=3
expect done del-peer
