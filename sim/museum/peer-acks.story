story peer-acks: the Primary loses power with writes on their way; the two Secondaries equalise what only one of them has got.
set nodes 3
set depth 32
set requests 3000
set length 20s
at 3s power-cut node=0 for=8s arg=1
at 6s promote node=1
at 14s power-cut node=1 for=3s arg=1
