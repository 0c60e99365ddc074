story Writes fail on the Secondary, reads on the Primary, both disks stay in use: no read is served from where the peer lacks a write.
set on-io-error passthrough
set reads 500
set depth 16
set requests 2500
set spots 4
set length 12s
at 1s write-errors node=1 for=3s arg=2
at 1200ms read-errors node=0 for=3s arg=2
at 7s write-errors node=1 for=1s arg=3
at 7200ms read-errors node=0 for=2s arg=1
