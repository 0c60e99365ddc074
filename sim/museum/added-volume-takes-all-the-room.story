story connect-differing-sizes: a volume that was forced to be good on the larger disk alone has no room on the other one, which is refused.
set volumes 2
set later-volumes 1
set larger-node 1
set length 12s
at 1s demote node=0
at 2s disconnect node=0 peer=1
at 3s add-volume node=1 volume=1 for=1s arg=67
at 8s connect node=0 peer=1
