story A Primary keeps its disk: detach is refused there.
at 2s detach node=0
expect refused detach
expect primary 0
