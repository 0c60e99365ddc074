story A disk is detached while nobody is connected; its host meets the Primary and leaves it again: attached then, the disk is not promoted.
set volumes 2
set depth 4
set requests 2000
at 1s cut-both for=3s
at 3800ms detach node=1 volume=1
at 8s cut-both for=30s
at 11s attach node=1 volume=1
at 11500ms power-cut node=0 for=30s
at 12s promote node=1
set length 42s
expect refused primary
