story io-errors: the Secondary's disk is given up after a metadata error and loses its cache: what was not confirmed is resynced.
set depth 32
set requests 3000
set reads 0
set write-through 0
at 2s md-errors node=1 arg=3 for=300ms
at 2010ms invalidate node=1
at 2400ms power-cut node=1 for=300ms
at 5s md-errors node=1 arg=3 for=300ms
at 5010ms outdate node=1
at 5020ms invalidate node=1
at 5400ms power-cut node=1 for=300ms
expect primary 0
