story Found by seed 594 of three: a volume comes to a Primary that gets no disk for it; one of the peers that hold its data falls silent.
set nodes 3
set volumes 2
set later-volumes 1
set requests 400
set length 16s
at 1s add-volume node=0 volume=1 for=200ms arg=3
at 5s freeze node=1 for=9s
