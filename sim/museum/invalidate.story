story invalidate and invalidate-remote: the right side wins, contents are equal.
at 2s invalidate node=1
at 6s invalidate-remote node=0
expect primary 0
expect done invalidate
expect resync-at-least 1000000
