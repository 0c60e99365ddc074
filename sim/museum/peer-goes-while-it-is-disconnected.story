story A disconnect waits for what a stuck Secondary has not confirmed; meanwhile the peer is taken out by force: the disconnect is answered.
set requests 500
at 1900ms stuck-disk node=1 for=6s
at 2500ms disconnect node=0
at 3s del-peer node=0 peer=1 for=6s arg=2
expect done del-peer
expect done disconnect
expect primary 0
