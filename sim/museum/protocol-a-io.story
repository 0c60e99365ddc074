story protocol-a-io: busy asynchronous writes, a slow link, an interruption.
set protocol A
set requests 3000
set depth 64
set reads 20
at 2s slow-link for=3s arg=30
at 6s link-reset node=0 peer=1
expect primary 0
