story Found by seed 4315 of four: a disk in the middle of a full copy meets one with an older history: nobody is called, the copy settles it.
set nodes 4
set mib 8
set resync-kib 900
set requests 800
set length 30s
at 1s power-cut node=3 for=9s
at 3s blank-disk node=2 for=300ms
at 4s switch-over node=1
at 9s cut-both node=1 peer=3 for=4s
expect primary 1
