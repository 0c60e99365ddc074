story A Primary without its disk, whose only peer loses power with writes that nobody confirmed: never goes on with what is left there.
set mib 8
set length 8s
at 2s detach-force node=0
at 4s power-cut node=1 for=300ms
at 5s attach node=0
