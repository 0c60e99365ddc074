story lost-primary-after-no-writes: newer data at one end; the Primary goes away without a write; nobody is left behind.
set nodes 4
at 1s isolate node=2 for=1s
at 2s isolate node=3 for=1s
at 3s switch-over node=0 peer=1
at 4s power-cut node=1 for=3s
