story The source of a resync loses its disk while its writes are on their way: what it lacks stays marked at the target.
set protocol A
set spots 1
set mib 8
set depth 8
set requests 6000
set reads 0
set resync-kib 256
at 1s cut-both for=2s
at 3500ms dead-disk node=0 for=200ms
set length 12s
