story stress-al with a Primary that dies: evicted extents are covered by bits, the others by the log.
set mib 320
set requests 1500
set depth 64
set reads 0
at 3s process-crash node=0 for=100ms arg=1
at 6s power-cut node=0 for=1s arg=1
at 8s promote node=0
