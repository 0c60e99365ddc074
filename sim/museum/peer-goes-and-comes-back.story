story A peer is taken out of the configuration of both ends while the Primary writes, and comes back: a resync of what it missed.
set requests 500
set mib 40
set spots 4
at 2s del-peer node=0 peer=1 for=3s arg=1
expect done del-peer
expect primary 0
expect resync-at-most 14000000
