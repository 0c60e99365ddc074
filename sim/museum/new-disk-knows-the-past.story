story A disk that was away meets one that was blank meanwhile and synced: it is older, and not unrelated.
set nodes 3
set mib 4
set resync-kib 4194304
set requests 300
at 1s detach node=1
at 2s blank-disk node=2 for=200ms
at 7s power-cut node=0 for=2s
at 7500ms attach node=1
