story both Secondaries have bits toward each other; invalidate-remote names the source, whoever has the tie-break.
set older-engines no
set mib 4
set spots 4
set resync-kib 8192
set length 20s
at 1s rot node=1
at 1500ms rot node=0
at 2s demote node=0
at 3s verify node=0 arg=1
at 12s invalidate-remote node=1
expect done invalidate-remote
expect found
expect source 1
expect resync-at-least 1000000
