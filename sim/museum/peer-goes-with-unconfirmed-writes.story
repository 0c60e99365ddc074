story Found by seed 6105384: a Secondary loses power with writes in its cache, is taken out of the configuration, the Primary's disk goes, it returns.
set requests 800
set write-through 0
set disk-flushes no
set length 12s
at 3s power-cut node=1 for=200ms
at 3020ms detach-force node=0
at 3040ms del-peer node=0 peer=1 for=2s arg=2
