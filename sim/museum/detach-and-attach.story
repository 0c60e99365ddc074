story The Secondary's disk is detached, writes go on, it is attached again: a short resync by bitmap, never full.
set mib 64
set spots 2
at 2s detach node=1
at 6s attach node=1
expect done detach
expect primary 0
expect resync-at-most 30000000
