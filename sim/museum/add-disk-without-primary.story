story add-disk: nobody is Primary when the volume comes; a Secondary's disk is forced to be good, and that one is Primary then.
set volumes 2
set later-volumes 1
at 1s demote node=0
at 3s add-volume node=1 volume=1 for=500ms arg=67
expect primary 1
