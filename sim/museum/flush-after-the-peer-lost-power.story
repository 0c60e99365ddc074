story A peer loses power while a flush waits for it, and with it what it had in its cache; the flush is answered, and then the Primary dies: that peer's disk must not claim to have it all.
set write-through 0
set depth 4
set flushes 200
set reads 0
set requests 600
set length 12s
at 1900ms slow-disk node=1 for=110ms arg=290
at 2s power-cut node=1 for=300ms
at 4900ms slow-disk node=1 for=110ms arg=290
at 5s power-cut node=1 for=300ms
at 7900ms slow-disk node=1 for=110ms arg=290
at 8s power-cut node=1 for=300ms
at 8050ms failover node=1 for=3s
expect any-split-brain
