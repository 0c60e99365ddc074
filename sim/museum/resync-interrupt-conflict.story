story resync-interrupt-conflict: resync requests meet application writes to the same blocks, and the link breaks in several ways.
set initial-sync full
set mib 4
set spots 4
set depth 64
set requests 2000
set resync-kib 2000
at 500ms invalidate-remote node=0 peer=1
at 1500ms link-reset node=0 peer=1
at 3s cut-both node=0 peer=1 for=400ms
at 5s cut-stream node=0 peer=1 for=1s arg=0
at 7s process-crash node=1 for=300ms arg=1
at 8s freeze node=1 for=1s
expect primary 0
