story resync-write-during-pause: writes while the resync is paused are included when it goes on.
set mib 64
at 1s disconnect node=0
at 3s connect node=0
at 3s pause-sync node=0
at 6s resume-sync node=0
expect primary 0
