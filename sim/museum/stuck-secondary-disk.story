story quorum-suspend-timeout, disk-timeout: the Secondary's disk answers nothing for a while; nothing is lost or hangs.
at 2s stuck-disk node=1 for=8s
set length 15s
expect primary 0
