story Metadata cannot be written on the Secondary, then on the Primary: the disk leaves, data stay whole.
at 2s md-errors node=1 arg=3 for=1s
at 6s md-errors node=0 arg=3 for=1s
