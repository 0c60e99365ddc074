story Found by seed 6230602: a Primary that could not read blocks gets them from a peer of an older version, and writes to them meanwhile.
set older-engines yes
set on-io-error pass_on
set requests 1500
set depth 32
set spots 1
set reads 300
set mib 2
at 1s read-errors node=0 for=1s arg=1
at 2s link-reset node=0 peer=1
at 4s read-errors node=0 for=1s arg=1
at 5s link-reset node=0 peer=1
at 7s slow-link for=2s arg=5
at 7s read-errors node=0 for=1s arg=1
at 7500ms link-reset node=0 peer=1
