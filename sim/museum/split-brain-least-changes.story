story split-brain with after-sb-0pri discard-least-changes: decided without a person where the policy can.
set after-sb-0pri discard-least-changes
set after-sb-1pri discard-secondary
set length 22s
at 1s cut-both node=0 peer=1 for=15s
at 9s promote node=1
at 12s demote node=1
expect any-split-brain
