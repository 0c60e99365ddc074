story add-disk-concurrent: both nodes add a volume at once, each has not heard of the other's: everything between them is silent.
set volumes 2
set later-volumes 1
set requests 400
at 2s slow-link for=2s arg=60
at 2100ms add-volume node=0 volume=1 for=900ms arg=65
at 2s cut-both node=0 for=600ms
expect primary 0
