story Found by seed 10018948: a target has finished and cannot say so yet, the Primary begins a generation: who is told of it is in it, whatever its slot names.
set volumes 3
set requests 150
set reads 0
set length 16s
at 200ms slow-disk node=1 volume=0 for=14200ms arg=6
at 200ms slow-disk node=0 volume=0 for=14200ms arg=20
at 200ms slow-disk node=1 volume=1 for=14200ms arg=6
at 200ms slow-disk node=0 volume=1 for=14200ms arg=20
at 200ms slow-disk node=1 volume=2 for=14200ms arg=6
at 200ms slow-disk node=0 volume=2 for=14200ms arg=20
at 1000ms detach node=1 volume=0
at 1030ms attach node=1 volume=0
at 1000ms detach node=1 volume=1
at 1030ms attach node=1 volume=1
at 1000ms detach node=1 volume=2
at 1030ms attach node=1 volume=2
at 1733ms link-reset node=1
at 2100ms detach node=1 volume=0
at 2130ms attach node=1 volume=0
at 2100ms detach node=1 volume=1
at 2130ms attach node=1 volume=1
at 2100ms detach node=1 volume=2
at 2130ms attach node=1 volume=2
at 2833ms link-reset node=1
at 3200ms detach node=1 volume=0
at 3230ms attach node=1 volume=0
at 3200ms detach node=1 volume=1
at 3230ms attach node=1 volume=1
at 3200ms detach node=1 volume=2
at 3230ms attach node=1 volume=2
