story attach-concurrent: both Secondaries detach and attach again at the same time, with writes between.
set nodes 3
at 1s detach node=1
at 1s detach node=2
at 4s attach node=1
at 4s attach node=2
expect primary 0
