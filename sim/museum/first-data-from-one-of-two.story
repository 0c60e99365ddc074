story A volume is added, and two Secondaries have its first data before the Primary sees them; it connects to one of them and writes: the other one is behind.
set nodes 3
set volumes 2
set later-volumes 1
set requests 600
set initial-sync skip
set length 12s
at 1s disconnect node=0 peer=1
at 1s disconnect node=0 peer=2
at 2s add-volume node=1 volume=1 for=200ms arg=5
at 4s connect node=0 peer=2
at 9s connect node=0 peer=1
