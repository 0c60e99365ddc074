story The control stream is silent while the data stream lives, and the reverse.
at 1s cut-stream node=1 arg=1 for=9s
at 12s cut-stream node=0 arg=0 for=9s
set length 25s
expect primary 0
