story Found by seed 266: a Primary's process dies while a volume that was added to it has no data yet; the others go on.
set volumes 2
set later-volumes 1
set requests 600
at 2s add-volume node=0 volume=1 for=5s arg=129
at 3s process-crash node=0 for=300ms
at 4s power-cut node=1 for=1s
expect primary 0
expect acknowledged-at-least 150
