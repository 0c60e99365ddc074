story the Secondary verifies against a busy Primary: writes and answers travel on one stream, and none is compared out of turn.
set older-engines no
set requests 1100
set depth 64
set reads 10
set spots 4
set mib 1
set length 5s
at 500ms slow-disk node=1 for=4s arg=20
at 500ms verify node=1 arg=1
at 1s verify node=1 arg=1
at 1500ms verify node=1 arg=1
at 2s verify node=1 arg=1
at 2500ms verify node=1 arg=1
at 3s verify node=1 arg=1
at 3500ms verify node=1 arg=1
expect done verify
expect resync-at-most 0
