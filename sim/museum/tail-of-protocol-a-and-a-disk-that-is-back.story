story Protocol A on a slow link: the Primary's disk fails, is back and waits to be resynced, and the link is lost with the tail of the stream in it: the peer's older data must not take the place of what was acknowledged.
set protocol A
set mib 16
set spots 2
set on-io-error detach
set depth 16
set requests 3000
set flushes 0
at 1s slow-link node=0 for=6s
at 2s write-errors node=0 for=100ms
at 2300ms attach node=0
at 3s link-reset node=0
set length 8s
expect any-split-brain
