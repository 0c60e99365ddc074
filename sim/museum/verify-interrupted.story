story a verify is cut off by the network, stopped, and begun again; the last one is complete.
set older-engines no
set resync-kib 4096
at 1s rot node=1
at 2s verify node=0
at 2500ms link-reset node=0
at 5s verify node=0
at 5500ms verify-stop node=1
at 6s verify node=0
at 6500ms process-crash node=1 for=200ms
at 9s verify node=0
expect done verify
expect done verify-stop
