story Three nodes, no fault at all: every write reaches both Secondaries, and no block is resynced.
set nodes 3
set requests 600
set length 6s
expect primary 0
expect resync-at-most 0
