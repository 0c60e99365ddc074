story force-resync: of two volumes in sync each is resynced as a whole, one by the Primary's order, one by the Secondary's.
set volumes 2
set mib 8
at 2s invalidate-remote node=0 peer=1 volume=0
at 4s invalidate node=1 volume=1
expect resync-at-least 14000000
expect primary 0
