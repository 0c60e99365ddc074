story A volume is deleted on the Secondary while the Primary's writes to it wait there for a slow disk of another volume: the daemon must not trip over them.
set volumes 3
set mib 16
set depth 16
set requests 3000
at 1s slow-disk node=1 volume=0 for=4s
at 2s del-volume node=1 volume=1 for=1s
at 5s slow-disk node=1 volume=2 for=4s
at 6s del-volume node=1 volume=1 for=1s
expect done del-volume
