story resync-interrupt: as above without any application write, so that nothing but the resync itself flushes the target's cache.
set mib 12
set resync-kib 512
set write-through 0
set requests 16000
set depth 64
set reads 0
set length 150s
at 100ms disconnect node=1
at 15s demote node=0
at 20s connect node=1
at 31500ms power-cut node=1 for=200ms
at 43s power-cut node=1 for=200ms
at 55300ms power-cut node=1 for=200ms arg=1
