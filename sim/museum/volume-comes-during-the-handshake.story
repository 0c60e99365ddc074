story Found by seed 7004799: a volume comes while a peer's records have arrived and the own ones wait for the disk: both must decide on it.
set nodes 3
set volumes 2
set requests 500
set older-engines no
at 2s slow-disk node=1 volume=0 for=4s arg=290
at 2s slow-disk node=1 volume=1 for=4s arg=290
at 3s link-reset node=0 peer=1
at 3s link-reset node=2 peer=1
at 3s del-volume node=1 volume=1 for=30ms
at 3100ms link-reset node=0 peer=1
at 3500ms del-volume node=1 volume=1 for=100ms
at 4s del-volume node=1 volume=1 for=60ms
at 4500ms del-volume node=1 volume=1 for=25ms
at 5s del-volume node=1 volume=1 for=40ms
