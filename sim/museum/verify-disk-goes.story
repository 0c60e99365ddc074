story the disk that is being verified is detached: the verify ends, and begins again when it is back.
set older-engines no
set resync-kib 4096
at 1s verify node=0
at 1500ms detach node=1
at 3s attach node=1
at 6s verify node=0
expect done verify
expect done detach
