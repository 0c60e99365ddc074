story Found by seed 497: a volume is taken out of a Secondary's configuration while writes of a lost link are still queued for it.
set volumes 2
set requests 1500
set depth 64
set reads 50
at 2s slow-disk node=1 volume=1 for=3s arg=290
at 2s slow-disk node=1 volume=0 for=3s arg=290
at 2100ms link-reset node=0 peer=1
at 2101ms del-volume node=1 volume=1 for=2s
