story Found by seeds 1445 and 1619 of several: a node has refused a Primary's writes and gets them from a third one: it is in sync again.
set nodes 3
set on-io-error passthrough
set requests 900
set length 20s
at 1s write-errors node=1 for=500ms arg=2
at 2s cut-both node=0 peer=1 for=4s
at 3s write-errors node=2 for=200ms arg=1
at 8s switch-over node=2
at 12s link-reset node=1 peer=2
