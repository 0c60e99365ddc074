story Two Secondaries forget each other, each is promoted in its turn and writes: when they meet a person decides, and nothing goes silently.
set requests 500
set length 20s
set older-engines no
at 1s demote node=0
at 3s del-peer node=0 peer=1 for=12s arg=13
at 5s promote node=0
at 8s demote node=0
at 10s promote node=1
at 13s demote node=1
expect done forget-peer
expect split-brain
