story resync-w-dless-pri, unstable-retry: the server of a Primary without a disk flaps; another target meets both in any order.
set nodes 3
set requests 800
set length 20s
at 1s detach-force node=0
at 2s power-cut node=1 for=500ms
at 5s link-reset node=0 peer=1
at 6s cut-both node=1 peer=2 for=1s
at 8s process-crash node=1 for=200ms
at 10s cut-both node=0 peer=1 for=2s
at 11s link-reset node=1 peer=2
