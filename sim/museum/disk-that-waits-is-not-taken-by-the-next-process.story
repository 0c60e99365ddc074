story A Primary lives on its peer's disk; answers of the peer stop, its own old disk is attached and waits; the process dies: the next one must not take that disk for what applications have seen.
set mib 16
set on-io-error detach
at 1s write-errors node=0 for=500ms
at 3s cut-one-way node=1 for=6s
at 3300ms attach node=0
at 6s process-crash node=0 for=200ms
set length 14s
