story both nodes begin at the same moment: one of the two verifies runs, the other one is refused.
set older-engines no
set resync-kib 4096
at 1s verify node=0 arg=1
at 1s verify node=1 arg=1
at 1s verify node=0 arg=1
expect done verify
expect refused verify
