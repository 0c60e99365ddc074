story connect-abort: the network dies in the middle of a handshake of two nodes that are both connected to a third; it can still be promoted.
set nodes 3
at 1s disconnect node=0 peer=1
at 2s connect node=0 peer=1
at 2001ms cut-both node=0 peer=1 for=2s
at 5s switch-over node=0 peer=2
expect done primary
