story revert-older-data: a node comes back with a copy of its disk of some time ago, metadata and all; it is known by its past.
set requests 800
set length 20s
at 1s old-disk node=1 for=9s
at 2s cut-both node=0 peer=1 for=1s
at 5s switch-over node=1
at 7s switch-over node=0
at 8s cut-both node=0 peer=1 for=500ms
expect any-split-brain
