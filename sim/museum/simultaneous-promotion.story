story stress-connect-and-2pc: both Secondaries are promoted at the same moment; at most one wins, nobody hangs.
at 1s demote node=0
at 2s promote node=0
at 2s promote node=1
at 4s demote node=0
at 4s demote node=1
at 5s promote-force node=0
at 5s promote-force node=1
expect done primary
