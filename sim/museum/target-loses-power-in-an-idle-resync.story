story resync-interrupt: as above without any application write, so that nothing but the resync itself flushes the target's cache.
set mib 12
set resync-kib 2048
set write-through 0
set requests 20
set depth 1
set reads 0
set length 60s
at 20s invalidate node=1
at 23100ms power-cut node=1 for=200ms
at 26200ms power-cut node=1 for=200ms
at 29s power-cut node=1 for=200ms arg=1
at 35s invalidate node=1
at 37200ms power-cut node=1 for=200ms
at 39700ms power-cut node=1 for=200ms
expect primary 0
