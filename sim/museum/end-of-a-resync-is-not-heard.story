story Links break when short resyncs end, and the source goes on without having heard of it: what the target got is known, only newer blocks are copied.
set mib 400
set requests 6000
set depth 8
set resync-kib 4000000
set length 30s
at 1000ms link-reset node=0 peer=1
at 1003ms link-reset node=0 peer=1
at 1008ms link-reset node=0 peer=1
at 1015ms link-reset node=0 peer=1
at 1024ms link-reset node=0 peer=1
at 1028ms link-reset node=0 peer=1
at 1034ms link-reset node=0 peer=1
at 1042ms link-reset node=0 peer=1
at 1052ms link-reset node=0 peer=1
at 1064ms link-reset node=0 peer=1
at 1664ms link-reset node=0 peer=1
at 1667ms link-reset node=0 peer=1
at 1672ms link-reset node=0 peer=1
at 1679ms link-reset node=0 peer=1
at 1688ms link-reset node=0 peer=1
at 1692ms link-reset node=0 peer=1
at 1698ms link-reset node=0 peer=1
at 1706ms link-reset node=0 peer=1
at 1716ms link-reset node=0 peer=1
at 1728ms link-reset node=0 peer=1
at 2328ms link-reset node=0 peer=1
at 2331ms link-reset node=0 peer=1
at 2336ms link-reset node=0 peer=1
at 2343ms link-reset node=0 peer=1
at 2352ms link-reset node=0 peer=1
at 2356ms link-reset node=0 peer=1
at 2362ms link-reset node=0 peer=1
at 2370ms link-reset node=0 peer=1
at 2380ms link-reset node=0 peer=1
at 2392ms link-reset node=0 peer=1
at 2992ms link-reset node=0 peer=1
at 2995ms link-reset node=0 peer=1
at 3000ms link-reset node=0 peer=1
at 3007ms link-reset node=0 peer=1
at 3016ms link-reset node=0 peer=1
at 3020ms link-reset node=0 peer=1
at 3026ms link-reset node=0 peer=1
at 3034ms link-reset node=0 peer=1
at 3044ms link-reset node=0 peer=1
at 3056ms link-reset node=0 peer=1
at 3656ms link-reset node=0 peer=1
at 3659ms link-reset node=0 peer=1
at 3664ms link-reset node=0 peer=1
at 3671ms link-reset node=0 peer=1
at 3680ms link-reset node=0 peer=1
at 3684ms link-reset node=0 peer=1
at 3690ms link-reset node=0 peer=1
at 3698ms link-reset node=0 peer=1
expect resync-at-most 300000000
