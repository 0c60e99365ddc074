story Three nodes: a promotion is under way when a Primary that was cut off comes back; one of the two gives way.
set nodes 3
set length 16s
at 2s isolate node=1 for=3s
at 2500ms demote node=0
at 3500ms promote-force node=1
at 5s promote node=2
at 5050ms promote node=2
at 6s promote node=2
expect any-split-brain
