story A target's disk fails while older writes wait behind newer resync data: the one under way still lands, and its record says Inconsistent.
set protocol A
set mib 1
set spots 1
set depth 64
set requests 6000
set reads 0
set resync-kib 4000000
set length 3s
at 500ms invalidate node=1
at 500.2ms slow-disk node=1 for=30ms arg=290
at 528ms write-errors node=1 for=50ms arg=1
at 650ms attach node=1
at 800ms invalidate node=1
at 800.2ms slow-disk node=1 for=30ms arg=290
at 828ms write-errors node=1 for=50ms arg=1
at 950ms attach node=1
at 1100ms invalidate node=1
at 1100.2ms slow-disk node=1 for=30ms arg=290
at 1128ms write-errors node=1 for=50ms arg=1
at 1250ms attach node=1
at 1400ms invalidate node=1
at 1400.2ms slow-disk node=1 for=30ms arg=290
at 1428ms write-errors node=1 for=50ms arg=1
at 1550ms attach node=1
at 1700ms invalidate node=1
at 1700.2ms slow-disk node=1 for=30ms arg=290
at 1728ms write-errors node=1 for=50ms arg=1
at 1850ms attach node=1
at 2000ms invalidate node=1
at 2000.2ms slow-disk node=1 for=30ms arg=290
at 2028ms write-errors node=1 for=50ms arg=1
at 2150ms attach node=1
at 2300ms invalidate node=1
at 2300.2ms slow-disk node=1 for=30ms arg=290
at 2328ms write-errors node=1 for=50ms arg=1
at 2450ms attach node=1
at 2600ms invalidate node=1
at 2600.2ms slow-disk node=1 for=30ms arg=290
at 2628ms write-errors node=1 for=50ms arg=1
at 2750ms attach node=1
expect primary 0
