story A third node is taken out and forgotten: refused on a Secondary that knows others, done on the Primary, and it comes back.
set nodes 3
set requests 500
at 2s del-peer node=1 peer=2 for=4s arg=12
at 3s del-peer node=0 peer=2 for=4s arg=13
expect done forget-peer
expect primary 0
