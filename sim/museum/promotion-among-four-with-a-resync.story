story Found by nodes 4, seed 42: two Secondaries resync while a third one becomes Primary and writes.
set nodes 4
set mib 16
set resync-kib 1000
at 1s isolate node=3 for=1s
at 2500ms power-cut node=0 for=6s
at 3500ms promote node=1
