story add-disk: four nodes, nobody is Primary; a volume comes to one after the other, then a Primary uses it.
set nodes 4
set volumes 2
set later-volumes 1
set requests 400
at 500ms demote node=0
at 1s add-volume node=2 volume=1 for=1s arg=0
at 15s promote node=1
set length 20s
expect primary 1
