story Protocol A: the disk of a Primary that is ahead of its peer is taken away by force, and its process dies: nothing acknowledged is lost.
set protocol A
set depth 16
set requests 3000
set reads 50
set length 12s
at 900ms slow-link node=0 peer=1 for=10s
at 2s detach-force node=0 for=1500ms
at 2010ms process-crash node=0 for=500ms
at 5s detach-force node=0 for=1500ms
at 5100ms process-crash node=0 for=500ms
at 8s detach-force node=0 for=1500ms
at 8300ms process-crash node=0 for=500ms
