story suspend-resume-io: writes are under way when I/O is suspended and the peer vanishes; they are answered once, after it.
set requests 800
set depth 32
set length 16s
at 1s suspend-io node=0
at 1001ms cut-both node=0 peer=1 for=4s
at 6s resume-io node=0
at 8s suspend-io node=0
at 8001ms process-crash node=1 for=500ms
at 9s detach-force node=0
at 11s resume-io node=0
