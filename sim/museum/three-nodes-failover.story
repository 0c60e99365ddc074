story The Primary's host dies, a Secondary is promoted and writes, the other one follows, the first returns.
set nodes 3
set flushes 100
set requests 600
at 3s power-cut node=0 for=4s
at 4500ms promote node=1
expect primary 1
expect done primary
