story resync-target-promote: an interrupted target, Inconsistent and alone, is not promoted without force.
set resync-kib 1024
set length 20s
at 1s invalidate node=1
at 2s cut-both for=14s
at 12s promote node=1
expect refused primary
expect primary 0
