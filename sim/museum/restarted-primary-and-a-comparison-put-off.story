story A Primary's process dies while a volume gets its first data on two others: it is their target, and does not know whether its applications have seen any.
set nodes 3
set volumes 2
set later-volumes 1
set requests 400
set initial-sync skip
set resync-kib 2000
set length 12s
at 1s process-crash node=0 for=1s
at 1s add-volume node=1 volume=1 for=200ms arg=5
