story concurrent-promote-demote: the Primary's host stands still, the other is promoted; it wakes up and both have written.
at 2s freeze node=0 for=12s
at 11s promote node=1
set length 25s
expect any-split-brain
