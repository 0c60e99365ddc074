story outdate: a Secondary that lost only the Primary is Outdated, is refused to be promoted, and follows when it is back.
set nodes 3
at 1s disconnect node=2 peer=0
at 3s promote node=2
at 5s connect node=2 peer=0
expect primary 0
expect refused primary
