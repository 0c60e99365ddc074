story Writes of the time before a Secondary's disk left are still on a slow link when it is back and compared: they clear no bits of newer writes to the same blocks.
set protocol A
set mib 16
set spots 4
set reads 0
set flushes 0
set depth 16
set requests 12000
at 500ms slow-link node=0 for=12s
at 1500ms detach-force node=1
at 1800ms attach node=1
at 3500ms detach-force node=1
at 3800ms attach node=1
at 5500ms detach-force node=1
at 5800ms attach node=1
at 7500ms detach-force node=1
at 7800ms attach node=1
set length 14s
