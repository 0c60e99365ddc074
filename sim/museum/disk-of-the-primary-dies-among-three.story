story The Primary's disk dies; it goes on with two peers, one of them leaves and returns.
set nodes 3
at 2s dead-disk node=0 for=3s
at 3s isolate node=2 for=1s
