story resync-between-targets: two nodes that both missed writes meet each other before the Primary.
set nodes 3
set mib 16
set resync-kib 2000
at 1s disconnect node=0 peer=1
at 1100ms disconnect node=0 peer=2
at 4s connect node=0 peer=1
at 5s connect node=0 peer=2
expect primary 0
