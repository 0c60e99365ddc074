story One direction is dead, the other alive, first this way and then the other.
at 1s cut-one-way node=0 for=5s
at 12s cut-one-way node=1 for=5s
set length 24s
expect primary 0
