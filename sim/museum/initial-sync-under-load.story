story resync-initial, busy-resync: a lone forced Primary writes while the other side is synced from nothing.
set initial-sync full
set mib 24
expect primary 0
