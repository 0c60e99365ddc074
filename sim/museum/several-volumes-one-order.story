story I6 across volumes: a Secondary that loses power holds no write without those acknowledged before it, on any volume.
set volumes 4
set flushes 150
set depth 16
at 2s power-cut node=1 for=500ms
at 5s power-cut node=0 for=3s
at 6s promote node=1
expect primary 1
