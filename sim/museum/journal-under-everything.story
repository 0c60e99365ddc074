story Transactions over three volumes while links break, a process dies, both hosts lose power.
set volumes 3
set journal yes
set depth 16
set requests 1500
set write-through 0
at 1s link-reset node=0 peer=1
at 2s process-crash node=0 for=200ms arg=1
at 4s cut-both node=0 peer=1 for=500ms
at 6s power-cut-all for=300ms
at 8s promote node=0
