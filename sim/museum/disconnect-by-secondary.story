story The Secondary leaves in order and returns, also by force.
at 2s disconnect node=1
at 4s connect node=1
at 6s disconnect-force node=1
at 8s connect node=1
expect primary 0
expect done disconnect
