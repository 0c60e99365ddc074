story A Primary lives on its peer's disk, which cannot write some blocks; later its own disk is filled from there: neither is better any more, and none stays Outdated.
set on-io-error passthrough
set requests 1500
set length 16s
at 1s detach-force node=0
at 2s write-errors node=1 for=400ms
at 4s failover node=0 for=30ms
at 8s detach-force node=0 for=200ms
