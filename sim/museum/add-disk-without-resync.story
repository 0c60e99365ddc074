story add-disk: two volumes come to both nodes at once; all disks are called equal, and nothing is resynced.
set volumes 3
set later-volumes 2
set requests 400
set older-engines no
at 2s add-volume node=0 volume=1 for=500ms arg=1
at 4s add-volume node=1 volume=2 for=500ms arg=1
expect primary 0
expect done new-current-uuid
expect resync-at-most 0
