story outdate-not-all: a Secondary resyncs another one while a Primary without a disk comes back to the target only.
set nodes 3
set requests 600
set resync-kib 600
set length 20s
at 1s detach-force node=0
at 2s power-cut node=2 for=1s
at 4s cut-both node=0 peer=2 for=4s
at 4s invalidate node=2
at 5s cut-both node=0 peer=1 for=2s
expect any-split-brain
