story resync-finish, resync-missed-end-no-bits: the link breaks where resyncs of a few blocks end; the next meeting knows what had ended.
set requests 400
set spots 2
set resync-kib 4194304
at 1s link-reset node=0 peer=1
at 1150ms link-reset node=0 peer=1
at 1290ms link-reset node=1 peer=0
at 1420ms link-reset node=0 peer=1
at 1530ms link-reset node=1 peer=0
at 3s link-reset node=0 peer=1
at 3120ms cut-stream node=0 peer=1 for=2s arg=0
at 6s link-reset node=0 peer=1
at 6130ms cut-stream node=1 peer=0 for=2s arg=1
expect primary 0
