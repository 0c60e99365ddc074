story The Secondary's disk is invalidated under load: what it declines while it waits for bitmaps is acknowledged to applications, so its record must say Outdated before.
set mib 16
set depth 16
set requests 4000
set length 14s
at 1s slow-disk node=1 for=8s
at 1500ms invalidate-remote node=0 peer=1
at 4s invalidate-remote node=0 peer=1
at 7s invalidate-remote node=0 peer=1
at 9500ms invalidate-remote node=0 peer=1
at 11s invalidate-remote node=0 peer=1
