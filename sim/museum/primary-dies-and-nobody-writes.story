story resync-after-primary-crash: the Primary dies with hot extents, another node is promoted for a moment, and nobody stays Outdated.
set nodes 3
set requests 600
set length 16s
at 3s power-cut node=0 for=4s
at 4500ms promote node=1
at 4501ms demote node=1
