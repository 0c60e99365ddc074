story The link is cut while a Primary's disk is being attached, again and again.
set mib 16
at 2s detach-force node=0
at 4s attach node=0
at 4001ms link-reset node=0
at 6s detach-force node=0
at 8s link-reset node=1
at 8003ms attach node=0
at 8010ms link-reset node=0
