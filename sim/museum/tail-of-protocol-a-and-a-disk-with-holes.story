story Protocol A on a slow link: a write fails at the Primary's disk, which goes on Inconsistent (pass_on), and the link is lost with the tail of the stream in it: the peer's older data must not be copied over what was acknowledged.
set protocol A
set mib 16
set spots 1
set on-io-error pass_on
set depth 16
set requests 8000
set reads 0
set flushes 0
at 1s slow-link node=0 for=6s
at 2s write-errors node=0 for=100ms
at 3s link-reset node=0
set length 8s
expect any-split-brain
