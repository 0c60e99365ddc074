story writes land elsewhere on a disk: both places are found.
set older-engines no
set requests 600
at 1s misdirected-writes node=1 for=4s arg=100
at 6s verify node=0 arg=1
expect done verify
expect found
