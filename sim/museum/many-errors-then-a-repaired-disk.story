story Found by seed 7108344: a disk is given up after more errors than passthrough allows, repaired and attached: old errors do not count.
set on-io-error passthrough
set requests 2500
set depth 32
set reads 50
at 1s write-errors node=0 for=2s arg=3
at 4s attach node=0
at 4500ms read-errors node=0 for=400ms arg=3
at 6s write-errors node=1 for=2s arg=3
at 9s attach node=1
at 9500ms write-errors node=1 for=400ms arg=3
