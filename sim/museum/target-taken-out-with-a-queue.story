story A target is behind with its queue when its disk is taken out: what was queued is written over newer blocks, on a disk that calls itself Inconsistent.
set nodes 2
set protocol B
set write-through 0
set requests 6000
set reads 0
set flushes 50
set depth 24
set spots 3
set resync-kib 100000
set length 4s
at 1200ms disconnect node=1 peer=0
at 1400ms connect node=1 peer=0
at 1400ms slow-disk node=1 for=600ms
at 1416ms detach-force node=1 for=100ms
