story resync-upstream-downstream: three generations; the newer pair meets first, then the oldest comes.
set nodes 3
set requests 800
set length 25s
at 1s power-cut node=2 for=10s
at 3s cut-both node=0 peer=1 for=3s
expect primary 0
