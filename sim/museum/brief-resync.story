story brief-resync-oos: a resync of almost nothing begins while many writes are under way, again and again; it ends behind them.
set requests 1500
set depth 64
set spots 1
at 1s link-reset node=0 peer=1
at 2s slow-link for=5s arg=40
at 3s cut-both node=0 peer=1 for=200ms
at 5s link-reset node=0 peer=1
at 6s link-reset node=1 peer=0
at 8s cut-both node=0 peer=1 for=200ms
