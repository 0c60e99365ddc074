story A volume comes to a Primary that gets no disk for it; its disks on three others are declared equal, and the Primary hears of them one by one, then loses one.
set nodes 4
set volumes 2
set later-volumes 1
set requests 800
set initial-sync skip
set length 10s
at 1s add-volume node=0 volume=1 for=2s arg=3
at 4s freeze node=3 for=60s
