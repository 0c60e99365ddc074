story split-brain, quorum-lost-uuid: after-sb-0pri discard-zero-changes: only one side has written; the other one's beginning is given up.
set after-sb-0pri discard-zero-changes
set after-sb-1pri consensus
set length 22s
at 1s cut-both node=0 peer=1 for=15s
at 9s promote node=1
at 9001ms demote node=1
at 12s demote node=0
expect any-split-brain
