story A volume is added to a Primary while its peer, which makes the first data, is away; the full sync to the Primary is interrupted.
set nodes 2
set volumes 2
set later-volumes 1
set mib 16
set requests 600
set resync-kib 1000
set length 24s
at 1s disconnect node=0 peer=1 for=1s
at 3s add-volume node=1 volume=1 for=200ms arg=3
at 4s connect node=0 peer=1
at 6s link-reset node=0 peer=1 for=1ms
expect acknowledged-at-least 350
