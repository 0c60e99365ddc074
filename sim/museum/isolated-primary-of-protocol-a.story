story A Primary is cut off and goes on for a moment (protocol A); its mirrors miss it first, and bring up the node that it had left behind.
set nodes 3
set protocol A
set requests 2000
set initial-sync skip
set length 16s
at 1s disconnect node=0 peer=2
at 3s isolate node=0 for=9s
