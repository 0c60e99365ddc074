story Five nodes fall into two parts, the Primary in the smaller one, and come together again.
set nodes 5
set requests 1500
set length 20s
at 2s partition node=0 for=6s arg=6
at 12s partition node=0 for=3s arg=26
expect primary 0
