story split-brain: both sides write apart; both report it and stay StandAlone until a person discards one side.
at 1s cut-both for=15s
at 9s promote node=1
set length 20s
expect split-brain
