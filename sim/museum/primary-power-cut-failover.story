story The Primary's host dies, the other is promoted and writes, the first returns and is resynced: no split brain.
set flushes 100
at 3s power-cut node=0 for=4s
at 4500ms promote node=1
expect primary 1
expect done primary
