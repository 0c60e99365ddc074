story Both hosts lose power at once and return; the former Primary's recent extents are resynced.
set flushes 100
at 4s power-cut-all for=1s
at 8s promote node=0
expect primary 0
