story A peer is taken out by force in the middle of writes, at one end only; then the Primary's host loses power, and it comes back.
set requests 500
at 2s del-peer node=0 peer=1 for=5s arg=2
at 4s power-cut node=0 for=500ms
expect done del-peer
