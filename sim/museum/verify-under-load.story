story hot blocks are written all the time while the Primary verifies: no block is called different that is not.
set older-engines no
set requests 1100
set depth 64
set reads 10
set spots 4
set mib 1
set length 5s
at 500ms verify node=0 arg=1
at 1s verify node=0 arg=1
at 1500ms verify node=0 arg=1
at 2s verify node=0 arg=1
at 2500ms verify node=0 arg=1
at 3s verify node=0 arg=1
at 3500ms verify node=0 arg=1
expect done verify
expect resync-at-most 0
