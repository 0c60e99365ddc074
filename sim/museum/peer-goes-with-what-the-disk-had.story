story A Primary's disk fails, and before its peer has put on disk what it had in its cache then, it leaves the configuration, loses power and comes back.
set write-through 0
set disk-flushes no
set on-io-error detach
set requests 4000
set length 10s
at 2990ms slow-disk node=1 volume=0 for=500ms arg=40
at 3s dead-disk node=0 volume=0 for=20s
at 3015ms del-peer node=0 peer=1 for=2s arg=2
at 3025ms power-cut node=1 for=100ms
