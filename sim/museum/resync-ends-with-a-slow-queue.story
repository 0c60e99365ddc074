story A resync ends on a target with a slow disk and a queue of mirrored writes; it dies right after it has become UpToDate.
set protocol A
set depth 32
set requests 1200
set reads 0
set spots 1
set write-through 0
set length 12s
at 500ms slow-disk node=1 arg=60 for=11s
at 1s link-reset
at 3s link-reset
at 5s link-reset
at 6s link-reset
at 7s link-reset
at 8s link-reset
at 9s link-reset
expect primary 0
