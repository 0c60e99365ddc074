story A node without a disk was Primary; the next one loses its own the moment it is promoted: its peers begin the generation with it.
set nodes 4
set requests 600
set depth 4
set length 7s
at 1s dead-disk node=0 for=5s
at 2s switch-over node=2 for=1s
at 2001ms dead-disk node=2 for=4s
