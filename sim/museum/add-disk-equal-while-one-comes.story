story Found by seed 2660: disks are called equal while the peer's is just being attached; it takes no part, or it is asked again.
set volumes 2
set later-volumes 1
at 2s slow-disk node=0 volume=1 for=3s arg=90
at 2s add-volume node=1 volume=1 for=20ms arg=3
at 2030ms new-uuid node=1 volume=1
