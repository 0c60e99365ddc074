story resync-interrupt: a slow resync, whose target loses power again and again, forgets no block that was only in the cache.
set mib 12
set resync-kib 2048
set write-through 0
set length 40s
at 100ms invalidate node=1
at 3100ms power-cut node=1 for=200ms
at 6200ms power-cut node=1 for=200ms
at 9s power-cut node=1 for=200ms arg=1
at 15s invalidate node=1
at 17200ms power-cut node=1 for=200ms
at 19700ms power-cut node=1 for=200ms
expect primary 0
