story stress-al, resync-after-primary-crash: alone, a Primary evicts extents of a full log and loses power; bits cover what it wrote.
set mib 320
set requests 1500
set depth 64
set reads 0
set write-through 0
at 500ms disconnect node=1
at 5s power-cut node=0 for=1s
at 7s connect node=1
at 8s promote node=0
