story A disk that was detached while its peers went on is not UpToDate by its own word: promoted without them, it would show a past state.
set volumes 3
set depth 4
set requests 1500
at 1s detach node=1 volume=0
at 2s power-cut-all for=100ms
at 3s detach-force node=1 volume=1
at 3100ms cut-both for=30s
at 4s power-cut node=0 for=30s
at 4200ms attach node=1 volume=0
at 4300ms attach node=1 volume=1
at 5s promote node=1
set length 36s
expect refused primary
