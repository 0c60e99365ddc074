story concurrent-promote-demote: a Primary is isolated, or demoted, while the promotion of another node is waiting; never unrelated data.
set nodes 3
set requests 600
set length 20s
at 2s slow-link for=2s arg=50
at 2500ms promote node=1
at 2600ms demote node=0
at 8s isolate node=1 for=3s
at 8010ms promote node=0
at 14s promote node=2
expect any-split-brain
