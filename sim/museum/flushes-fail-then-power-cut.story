story io-errors: the Secondary cannot flush and then loses power: what it had in its cache is resynced.
set flushes 100
set write-through 0
at 1s flush-errors node=1 arg=3 for=4s
at 4s power-cut node=1 for=500ms
at 7s flush-errors node=1 arg=3 for=2s
at 8500ms power-cut node=1 for=500ms
expect primary 0
