story uuid_send_receive_race: a Primary's generation changes between its record and the peer's; the handshake is repeated.
set nodes 3
set requests 1500
set depth 32
at 1s slow-link for=8s arg=50
at 2s link-reset node=0 peer=1
at 2020ms link-reset node=0 peer=2
at 4s link-reset node=0 peer=1
at 4050ms cut-both node=0 peer=2 for=500ms
at 6s link-reset node=0 peer=2
at 6030ms link-reset node=0 peer=1
expect primary 0
