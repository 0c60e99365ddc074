story connect-no-volumes: a resource without any volume connects, has a Primary, changes it, disconnects; then its first volume comes.
set later-volumes 1
set older-engines no
at 1s disconnect node=1 peer=0
at 2s connect node=1 peer=0
at 3s switch-over node=1
at 4s link-reset node=0 peer=1
at 5s add-volume node=0 for=500ms arg=67
expect primary 1
