story io-errors: writes fail on the Secondary; no failed write counts as safe, the disk leaves or the range keeps its bits.
at 2s write-errors node=1 arg=2 for=1s
expect primary 0
