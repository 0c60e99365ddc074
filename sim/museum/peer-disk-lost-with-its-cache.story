story A Secondary's disk is given up; what it had only in its volatile cache is confirmed by nobody and must be marked before the power goes.
set write-through 0
set disk-flushes no
set on-io-error detach
set depth 8
set requests 2500
set reads 50
set length 22s
at 2s dead-disk node=1 for=50ms
at 4s power-cut node=1 for=300ms
at 8s dead-disk node=1 for=50ms
at 10500ms power-cut node=1 for=300ms
at 15s dead-disk node=1 for=50ms
at 17s power-cut node=1 for=300ms
