story the Primary verifies while the Secondary's disk is slow: answers wait for the writes before them.
set older-engines no
set requests 1100
set depth 64
set reads 10
set spots 4
set mib 1
set length 6s
at 200ms slow-disk node=1 for=5s arg=20
at 500ms verify node=0 arg=1
at 1500ms verify node=0 arg=1
at 2500ms verify node=0 arg=1
at 3500ms verify node=0 arg=1
expect done verify
expect resync-at-most 0
