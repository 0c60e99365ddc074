story The source's disk fails to write blocks that earlier writes and resync acknowledgements are still on their way for: their bits stay.
set protocol C
set spots 2
set depth 16
set mib 16
set requests 4000
set resync-kib 4096
at 1s cut-both for=1s
at 4s write-errors node=0 for=600ms
at 6s cut-both for=1s
at 8500ms write-errors node=0 for=2s
set length 14s
