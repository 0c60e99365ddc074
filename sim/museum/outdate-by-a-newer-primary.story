story outdate: a node that was away while a Primary went on is Outdated when it meets another Secondary, and never promoted with its old data.
set nodes 3
set requests 2000
set length 25s
at 2s isolate node=2 for=6s
at 5s power-cut node=0 for=12s
at 6s power-cut node=1 for=8s
at 12s promote node=2
expect any-split-brain
