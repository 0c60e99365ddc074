story Found by seed 7301250 of three: a peer is taken out while an added volume has no data yet; it comes back, and so do the first data.
set nodes 3
set volumes 2
set later-volumes 1
set requests 200
set length 12s
at 500ms disconnect-force node=0 peer=2
at 600ms disconnect-force node=0 peer=1
at 2s add-volume node=0 volume=1 for=5s arg=3
at 3s del-peer node=0 peer=1 for=1s arg=3
at 5s connect node=0 peer=2
at 5s connect node=2 peer=0
