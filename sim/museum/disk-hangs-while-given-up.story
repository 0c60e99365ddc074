story A Primary's disk hangs and is given up by force; writes go on through the peer; the process dies before the disk has let go: it must not come back with the next one.
set mib 16
set spots 2
at 1900ms stuck-disk node=0 for=1500ms
at 2s detach-force node=0
at 2500ms process-crash node=0 for=200ms
at 8s attach node=0
set length 12s
