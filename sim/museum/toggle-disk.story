story toggle-disk: a Secondary's disk goes and comes with useful old data, then blank: a short resync, then a full one.
set mib 8
set requests 500
at 1s detach node=1
at 3s attach node=1
at 5s blank-disk node=1 for=300ms
expect resync-at-least 7000000
expect primary 0
