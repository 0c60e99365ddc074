story twopc-conflict-one-initiator, twopc-abort-connect2: a node asks for the role again before everybody knows how its last vote ended.
set nodes 3
set length 20s
at 1s demote node=0
at 2s slow-link for=6s arg=60
at 2500ms promote node=1
at 2900ms demote node=1
at 3s promote node=1
at 3100ms promote node=2
at 3200ms link-reset node=1 peer=2
at 12s promote node=1
expect any-split-brain
