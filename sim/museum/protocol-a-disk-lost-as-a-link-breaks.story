story A Primary's disk goes, and in the same moment the link to one of three peers, with the tail of a stream of protocol A: the others are taking over a generation, and have it.
set nodes 4
set protocol A
set on-io-error detach
set requests 900
set depth 4
set length 7s
at 2s dead-disk node=0 for=3s
at 2005ms link-reset node=0 peer=2
at 2010ms link-reset node=0 peer=2
at 2015ms link-reset node=0 peer=2
at 4s process-crash node=1 for=300ms
