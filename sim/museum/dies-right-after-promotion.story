story A node with a slow disk is promoted, writes, and loses power at once, several times: each crash is recognised as one of a Primary.
set reads 0
set depth 64
set requests 8000
set write-through 0
set length 30s
at 100ms demote node=0
at 1s slow-disk node=0 arg=120 for=28s
at 2s promote node=0
at 2030ms power-cut node=0 for=500ms
at 8s promote node=0
at 8060ms power-cut node=0 for=500ms
at 14s promote node=0
at 14090ms power-cut node=0 for=500ms
at 20s promote node=0
at 20120ms power-cut node=0 for=500ms
at 26s promote node=0
