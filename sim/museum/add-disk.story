story add-disk: a volume comes to a Primary under load, a little later to its peer, and is forced to be good as it is.
set volumes 2
set later-volumes 1
set requests 400
at 2s add-volume node=0 volume=1 for=1s arg=64
expect primary 0
expect resync-at-least 7000000
