story A peer cannot flush, and its disk becomes Inconsistent for it (pass_on), but its record is slow: the flush is answered, and a power cut takes both.
set on-io-error pass_on
set write-through 0
set depth 4
set flushes 200
set reads 0
set requests 600
set length 12s
at 1990ms slow-disk node=1 for=110ms arg=290
at 2s flush-errors node=1 for=60ms arg=3
at 3s power-cut-all for=300ms
at 4990ms slow-disk node=1 for=110ms arg=290
at 5s flush-errors node=1 for=60ms arg=3
at 7990ms slow-disk node=1 for=110ms arg=290
at 8s flush-errors node=1 for=60ms arg=3
at 8030ms power-cut-all for=300ms
expect any-split-brain
