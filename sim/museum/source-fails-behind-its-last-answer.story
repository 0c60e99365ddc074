story Found by seed 33845: a resync has ended, and the source's disk fails behind its last answer; the target goes on, and not back.
set mib 1
set requests 1500
set resync-kib 4194304
set reads 50
set depth 16
at 2s link-reset node=0 peer=1
at 2120ms dead-disk node=0 for=100ms
at 4s attach node=0
at 5s link-reset node=0 peer=1
at 5135ms dead-disk node=0 for=100ms
at 7s attach node=0
at 8s link-reset node=0 peer=1
at 8150ms detach-force node=0
