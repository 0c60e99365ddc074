story Found by seed 11020703: a target has finished and has not heard the answer when it says what it is: a generation that begins then is told to it, so it is reckoned to have it.
set volumes 1
set requests 90
set reads 0
set length 20s
at 200ms slow-disk node=1 for=19s arg=5
at 737ms link-reset node=0
at 747ms cut-stream node=1 for=70ms arg=1
at 802ms pause-sync node=0
at 817ms cut-stream node=0 for=400ms arg=1
at 1637ms resume-sync node=0
at 2137ms link-reset node=0 for=300ms
at 2737ms link-reset node=0
at 2747ms cut-stream node=1 for=70ms arg=1
at 2802ms pause-sync node=0
at 2817ms cut-stream node=0 for=400ms arg=1
at 3637ms resume-sync node=0
at 4137ms link-reset node=0 for=300ms
at 4737ms link-reset node=0
at 4747ms cut-stream node=1 for=70ms arg=1
at 4802ms pause-sync node=0
at 4817ms cut-stream node=0 for=400ms arg=1
at 5637ms resume-sync node=0
at 6137ms link-reset node=0 for=300ms
at 6737ms link-reset node=0
at 6747ms cut-stream node=1 for=70ms arg=1
at 6802ms pause-sync node=0
at 6817ms cut-stream node=0 for=400ms arg=1
at 7637ms resume-sync node=0
at 8137ms link-reset node=0 for=300ms
at 8737ms link-reset node=0
at 8747ms cut-stream node=1 for=70ms arg=1
at 8802ms pause-sync node=0
at 8817ms cut-stream node=0 for=400ms arg=1
at 9637ms resume-sync node=0
at 10137ms link-reset node=0 for=300ms
at 10737ms link-reset node=0
at 10747ms cut-stream node=1 for=70ms arg=1
at 10802ms pause-sync node=0
at 10817ms cut-stream node=0 for=400ms arg=1
at 11637ms resume-sync node=0
at 12137ms link-reset node=0 for=300ms
at 12737ms link-reset node=0
at 12747ms cut-stream node=1 for=70ms arg=1
at 12802ms pause-sync node=0
at 12817ms cut-stream node=0 for=400ms arg=1
at 13637ms resume-sync node=0
at 14137ms link-reset node=0 for=300ms
at 14737ms link-reset node=0
at 14747ms cut-stream node=1 for=70ms arg=1
at 14802ms pause-sync node=0
at 14817ms cut-stream node=0 for=400ms arg=1
at 15637ms resume-sync node=0
at 16137ms link-reset node=0 for=300ms
at 16737ms link-reset node=0
at 16747ms cut-stream node=1 for=70ms arg=1
at 16802ms pause-sync node=0
at 16817ms cut-stream node=0 for=400ms arg=1
at 17637ms resume-sync node=0
at 18137ms link-reset node=0 for=300ms
