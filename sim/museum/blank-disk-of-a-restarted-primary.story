story A Primary without a disk for an added volume restarts, gets a blank disk, and meets the peer first that was left behind: its copy is of the past.
set nodes 3
set volumes 2
set later-volumes 1
set requests 800
set initial-sync skip
set resync-kib 4000
set length 14s
at 1s disconnect node=0 peer=2
at 2s add-volume node=1 volume=1 for=300ms arg=3
at 5s process-crash node=0 for=100ms
