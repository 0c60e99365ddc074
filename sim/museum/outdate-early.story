story outdate-early: a Primary gives up a peer, writes, and demotes before that one has noticed; it may not go on as if it were current.
set requests 600
set length 16s
at 2s cut-one-way node=0 peer=1 for=9s
at 9s demote node=0
at 10s promote node=1
expect any-split-brain
