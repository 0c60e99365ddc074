story A peer of a Primary without a disk comes back as another process, perhaps without its cache; the others have everything and go on.
set nodes 4
set protocol A
set requests 900
set depth 8
set length 7s
at 1s dead-disk node=0 for=5s
at 3s power-cut node=1 for=200ms
at 4s power-cut node=2 for=200ms
