story A node is invalidated, and meets the Primary again when that has just lost its disk: what it is sent must not wait for ever.
set nodes 4
set depth 4
set requests 900
set length 6s
at 1s invalidate node=1 peer=3
at 1010ms detach-force node=0 for=9s
