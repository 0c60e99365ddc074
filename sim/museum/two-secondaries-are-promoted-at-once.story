story twopc-*: with the Primary gone two Secondaries are promoted in the same moment; at most one succeeds.
set nodes 3
at 3s power-cut node=0 for=5s
at 5s promote node=1
at 5s promote node=2
