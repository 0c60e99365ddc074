story switch-primaries: the role moves to and fro under load, always one Primary, without any resync.
at 1s switch-over node=1
at 3s switch-over node=0
at 5s switch-over node=1
at 7s switch-over node=0
expect primary 0
expect resync-at-most 0
