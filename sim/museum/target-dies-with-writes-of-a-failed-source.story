story The Primary's disk fails while its peer is being resynced; what waited for the disk then only the target got, whose process dies.
set on-io-error detach
set mib 400
set requests 600
set depth 32
set resync-kib 2048
set length 8s
at 1s disconnect-force node=1
at 2s connect node=1
at 2050ms stuck-disk node=0 volume=0 for=150ms
at 2190ms dead-disk node=0 volume=0 for=20s
at 2400ms process-crash node=1 for=200ms
expect any-split-brain
