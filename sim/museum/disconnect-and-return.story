story disconnect, writes, connect: a short resync.
set mib 64
set spots 2
at 2s disconnect node=0
at 6s connect node=0
expect primary 0
expect done disconnect
expect resync-at-most 30000000
