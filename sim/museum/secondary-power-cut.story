story resync-interrupt: the Secondary loses power with unflushed writes and loses it again during the resync.
at 2s power-cut node=1 for=500ms
at 3s power-cut node=1 for=1s
at 6s power-cut node=1 for=200ms arg=1
expect primary 0
