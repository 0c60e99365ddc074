story A Primary alone loses a disk, and its process dies: the peer that comes back then has missed writes, and does not serve the application.
set volumes 2
set protocol C
set depth 4
set requests 3000
at 1s isolate node=1 for=4s
at 3500ms dead-disk node=0 volume=1 for=300ms
at 4300ms process-crash node=0 for=300ms
set length 12s
