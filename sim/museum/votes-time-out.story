story twopc-timeout: a node is frozen while the others vote on a promotion; locks are released, and later it succeeds.
set nodes 3
set length 25s
at 1s demote node=0
at 2s freeze node=2 for=12s
at 2s promote node=1
at 17s promote node=1
expect primary 1
