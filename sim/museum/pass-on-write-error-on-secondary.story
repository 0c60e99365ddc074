story A Secondary's disk fails a write and its policy is pass_on: what the Primary acknowledges then begins a generation.
set on-io-error pass_on
set protocol C
set depth 4
set requests 700
set length 7s
at 2s write-errors node=1 for=2s
at 5s power-cut node=1 for=300ms
