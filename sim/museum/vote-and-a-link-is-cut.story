story twopc-abort-connect: links are cut while answers to a vote are awaited, and others come up at that moment.
set nodes 4
set length 20s
at 1s demote node=0
at 2s slow-link for=3s arg=90
at 2s cut-both node=2 peer=3 for=1s
at 2500ms promote node=1
at 2510ms link-reset node=1 peer=2
at 2600ms cut-both node=1 peer=3 for=700ms
at 12s promote node=1
expect primary 1
