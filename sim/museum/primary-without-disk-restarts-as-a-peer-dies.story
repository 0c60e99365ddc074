story A Primary without a disk is restarted, and one of its two peers dies with it: what the other alone gets begins a generation.
set nodes 3
set requests 600
set depth 4
set length 7s
at 1s dead-disk node=0 for=5s
at 3s process-crash node=0 for=100ms
at 3010ms process-crash node=1 for=2s
