story A Primary's disk fails some writes and its policy is pass_on: it goes on with the peer's data, and then its disk or its process goes altogether.
set on-io-error pass_on
set protocol C
set depth 16
set requests 900
set length 8s
at 2s write-errors node=0 for=100ms
at 2050ms dead-disk node=0 for=2s
at 5s process-crash node=0 for=300ms
