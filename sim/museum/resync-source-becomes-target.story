story resync-source-becomes-target: the source of a slow resync is itself behind; when it meets the newest data it is synced first.
set nodes 3
set mib 8
set resync-kib 700
set requests 800
set length 30s
at 1s power-cut node=2 for=5s
at 3s cut-both node=0 peer=1 for=6s
at 3s cut-both node=0 peer=2 for=14s
expect primary 0
