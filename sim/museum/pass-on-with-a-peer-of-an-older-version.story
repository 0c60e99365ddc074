story A cut link keeps the last writes of protocol A on a Primary's disk, which becomes Inconsistent (pass_on); a peer that compares over a new link only is not its source.
set on-io-error pass_on
set protocol A
set older-engines yes
set mib 8
set spots 4
set depth 16
set reads 200
set requests 1500
set length 8s
at 2s cut-both node=0 peer=1 for=2s
at 2100ms write-errors node=0 for=100ms arg=2
expect any-split-brain
