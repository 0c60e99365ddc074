story Found by seed 11020703: a target has finished and has not heard the answer when it says what it is: a generation that begins then is told to it, so it is reckoned to have it.
set volumes 1
set requests 150
set reads 0
set length 20s
at 200ms slow-disk node=1 for=19s arg=5
at 922ms link-reset node=0
at 932ms cut-stream node=1 for=120ms arg=1
at 1037ms pause-sync node=0
at 1052ms cut-stream node=0 for=400ms arg=1
at 1822ms resume-sync node=0
at 2322ms link-reset node=0 for=300ms
at 2922ms link-reset node=0
at 2932ms cut-stream node=1 for=120ms arg=1
at 3037ms pause-sync node=0
at 3052ms cut-stream node=0 for=400ms arg=1
at 3822ms resume-sync node=0
at 4322ms link-reset node=0 for=300ms
at 4922ms link-reset node=0
at 4932ms cut-stream node=1 for=120ms arg=1
at 5037ms pause-sync node=0
at 5052ms cut-stream node=0 for=400ms arg=1
at 5822ms resume-sync node=0
at 6322ms link-reset node=0 for=300ms
at 6922ms link-reset node=0
at 6932ms cut-stream node=1 for=120ms arg=1
at 7037ms pause-sync node=0
at 7052ms cut-stream node=0 for=400ms arg=1
at 7822ms resume-sync node=0
at 8322ms link-reset node=0 for=300ms
at 8922ms link-reset node=0
at 8932ms cut-stream node=1 for=120ms arg=1
at 9037ms pause-sync node=0
at 9052ms cut-stream node=0 for=400ms arg=1
at 9822ms resume-sync node=0
at 10322ms link-reset node=0 for=300ms
at 10922ms link-reset node=0
at 10932ms cut-stream node=1 for=120ms arg=1
at 11037ms pause-sync node=0
at 11052ms cut-stream node=0 for=400ms arg=1
at 11822ms resume-sync node=0
at 12322ms link-reset node=0 for=300ms
at 12922ms link-reset node=0
at 12932ms cut-stream node=1 for=120ms arg=1
at 13037ms pause-sync node=0
at 13052ms cut-stream node=0 for=400ms arg=1
at 13822ms resume-sync node=0
at 14322ms link-reset node=0 for=300ms
at 14922ms link-reset node=0
at 14932ms cut-stream node=1 for=120ms arg=1
at 15037ms pause-sync node=0
at 15052ms cut-stream node=0 for=400ms arg=1
at 15822ms resume-sync node=0
at 16322ms link-reset node=0 for=300ms
at 16922ms link-reset node=0
at 16932ms cut-stream node=1 for=120ms arg=1
at 17037ms pause-sync node=0
at 17052ms cut-stream node=0 for=400ms arg=1
at 17822ms resume-sync node=0
at 18322ms link-reset node=0 for=300ms
