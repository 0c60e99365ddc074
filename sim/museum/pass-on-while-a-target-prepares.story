story A Primary's disk becomes Inconsistent (pass_on) while its peer, which has declined a write, prepares to be its target: that one is not its source.
set on-io-error pass_on
set protocol C
set mib 8
set spots 4
set depth 64
set reads 200
set requests 3000
set length 4s
expect any-split-brain
at 1000ms slow-link for=60ms arg=40
at 1005ms invalidate-remote node=0 peer=1
at 1024ms read-errors node=0 for=20ms arg=3
at 1100ms link-reset node=0 peer=1
