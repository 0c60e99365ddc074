story Discards and zeroes, large ones too, meet a full resync, an interruption, and a resync of what they have touched.
set zeroes 300
set initial-sync full
set mib 6
set spots 4
set requests 900
set resync-kib 2000
at 200ms invalidate-remote node=0 peer=1
at 2s link-reset node=0 peer=1
at 4s cut-both node=0 peer=1 for=1s
at 7s process-crash node=0 for=200ms arg=1
