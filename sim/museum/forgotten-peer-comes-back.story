story A peer is taken out of the configuration while the Primary writes, both ends forget each other, and it comes back: a full copy, no question.
set requests 500
set mib 8
at 2s del-peer node=0 peer=1 for=3s arg=13
expect done del-peer
expect done forget-peer
expect primary 0
expect resync-at-least 8000000
