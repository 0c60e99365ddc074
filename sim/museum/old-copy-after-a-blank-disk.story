story A blank disk is being filled when an old copy of the disk before it takes its place: same generation as the source, whose bits are about the blank one.
set mib 16
set resync-kib 2000
set requests 1500
set length 14s
at 2s old-disk node=1 for=4s
at 2950ms suspend-io node=0 for=1500ms
at 3s blank-disk node=1 for=300ms
at 11500ms resume-io node=0
