story A volume comes to a Primary, whose slow disk is declared good at once: nothing is acknowledged before the record says so.
set volumes 4
set later-volumes 3
set depth 32
set requests 9000
set length 9s
at 1800ms md-errors node=1 volume=1 for=3s arg=3
at 1900ms slow-disk node=0 volume=1 for=2s arg=290
at 2s add-volume node=0 volume=1 for=20ms arg=1
at 3800ms md-errors node=1 volume=2 for=3s arg=3
at 3900ms slow-disk node=0 volume=2 for=2s arg=290
at 4s add-volume node=0 volume=2 for=20ms arg=1
at 5800ms md-errors node=1 volume=3 for=3s arg=3
at 5900ms slow-disk node=0 volume=3 for=2s arg=290
at 6s add-volume node=0 volume=3 for=20ms arg=1
expect primary 0
