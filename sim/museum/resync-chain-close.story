story resync-chain-close: A is connected to B, B to C; then C meets A, which has written meanwhile.
set nodes 3
set mib 16
at 1s disconnect node=2 peer=0
at 1s disconnect node=2 peer=1
at 3s connect node=2 peer=1
at 5s connect node=2 peer=0
expect primary 0
