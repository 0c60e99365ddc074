story Found by seed 10077890: a Primary's process dies with its disk, is connected to a peer that was away, and only then becomes Primary again.
set requests 400
set length 8s
at 2s disconnect-force node=1
at 2500ms dead-disk node=0 volume=0 for=3s
at 2510ms process-crash node=0 for=20ms
at 2600ms connect node=1
at 2650ms connect node=0
expect primary 0
