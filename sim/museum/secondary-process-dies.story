story The Secondary's process is killed several times; the Primary goes on, what was missed is resynced.
at 1s process-crash node=1 for=100ms
at 3s process-crash node=1 for=2s arg=1
at 8s process-crash node=1 for=10ms
expect primary 0
