story double-promote-diskless: a Primary without a disk is promoted twice and writes while a third node is away; that one follows.
set nodes 3
set requests 600
set length 14s
at 1s detach-force node=0
at 2s isolate node=2 for=8s
at 4s demote node=0
at 5s promote node=0
