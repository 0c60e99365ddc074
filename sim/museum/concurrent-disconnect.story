story concurrent-disconnect: both ends leave at the same moment; all commands return.
at 2s disconnect node=0
at 2s disconnect node=1
at 4s connect node=0
at 4s connect node=1
at 6s disconnect node=0
at 6001us disconnect node=1
expect primary 0
expect done disconnect
