story a Secondary of three gets all its data from the peer that was named, which is slow to come, and not from the other one.
set nodes 3
set older-engines no
at 2s demote node=0
at 4s invalidate node=2 peer=1 arg=1
at 4002ms freeze node=1 for=800ms
expect done invalidate
expect source 1
expect resync-at-least 1000000
