story A peer leaves the configuration of a Primary that is ahead of it, whose disk fails before the generation that the peer does not have is on it.
set protocol A
set requests 2000
set length 10s
at 2900ms slow-link node=0 for=2s arg=95
at 3s del-peer node=0 peer=1 for=1s arg=2
at 3000020us dead-disk node=0 volume=0 for=20s
