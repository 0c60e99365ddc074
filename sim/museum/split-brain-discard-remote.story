story split-brain with after-sb-0pri discard-remote: both ends know whose data stays.
set after-sb-0pri discard-remote
set after-sb-1pri discard-secondary
set length 22s
at 1s cut-both node=0 peer=1 for=15s
at 8s promote node=1
at 11s demote node=1
at 12s demote node=0
expect any-split-brain
