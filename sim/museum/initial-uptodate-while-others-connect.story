story initial-uuid-uptodate: of three fresh disks one is forced to be good; it syncs the others while these two come together.
set nodes 3
set volumes 2
set later-volumes 1
set length 15s
at 500ms demote node=0
at 1s cut-both node=0 peer=2 for=1200ms
at 1s add-volume node=0 volume=1 for=1s arg=69
expect primary 1
