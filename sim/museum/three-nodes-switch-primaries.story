story switch-primaries: the role goes round all three nodes.
set nodes 3
at 2s switch-over node=0 peer=1
at 4s switch-over node=1 peer=2
at 6s switch-over node=2 peer=0
expect done primary
expect done secondary
