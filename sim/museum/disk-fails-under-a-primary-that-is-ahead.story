story Protocol A: the disk of a Primary that is ahead of its peer fails, and its process dies before the peer has got the rest: the peer is not believed.
set protocol A
set on-io-error detach
set depth 16
set requests 3000
set reads 50
set length 12s
expect any-split-brain
at 900ms slow-link node=0 peer=1 for=10s
at 2s dead-disk node=0 for=100ms
at 2030ms process-crash node=0 for=500ms
at 5s dead-disk node=0 for=100ms
at 5010ms process-crash node=0 for=500ms
at 8s dead-disk node=0 for=100ms
at 8005ms process-crash node=0 for=500ms
