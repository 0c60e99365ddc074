story a disk reports writes as done and does not write them; the verify that follows finds what is missing.
set older-engines no
set requests 600
at 1s lost-writes node=1 for=3s arg=150
at 5s lost-writes node=0 for=1s arg=50
at 7s verify node=1 arg=1
expect done verify
expect found
