story two Secondaries cannot be compared while a third node writes to both; against the Primary each can.
set nodes 3
set older-engines no
at 1s verify node=1 peer=2 arg=1
at 2s verify node=1 peer=0 arg=1
at 5s verify node=0 peer=2 arg=1
expect done verify
expect refused verify
