story pass_on among three: a Primary's disk goes bad by an error while links flap; a peer that is left behind must not fill it with old blocks.
set nodes 3
set on-io-error pass_on
set protocol B
set requests 6000
set reads 500
set spots 8
set depth 16
set initial-sync skip
set resync-kib 1000
set length 16s
at 2000ms read-errors node=0 for=15ms
at 2020ms link-reset node=0 peer=1 for=1ms
at 2060ms link-reset node=0 peer=2 for=1ms
at 6000ms read-errors node=0 for=15ms
at 6017ms link-reset node=0 peer=1 for=1ms
at 6022ms link-reset node=0 peer=2 for=1ms
at 10000ms read-errors node=0 for=15ms
at 10018ms link-reset node=0 peer=2 for=1ms
at 10019ms link-reset node=0 peer=1 for=1ms
expect any-split-brain
