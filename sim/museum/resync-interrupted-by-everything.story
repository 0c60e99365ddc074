story resync-interrupt-variants: a resync is broken by reset, silence, death and power loss of either end, and ends.
set mib 64
set initial-sync full
set length 30s
at 1s invalidate node=1
at 1050ms link-reset
at 4s invalidate node=1
at 4050ms process-crash node=1 for=200ms
at 8s invalidate node=1
at 8040ms process-crash node=0 for=200ms
at 12s invalidate node=1
at 12030ms power-cut node=1 for=500ms arg=1
at 18s invalidate node=1
at 18040ms cut-both for=9s
expect primary 0
