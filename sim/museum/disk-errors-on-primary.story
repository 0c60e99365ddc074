story io-errors: the Primary's disk fails; the application goes on with the peer's.
at 2s dead-disk node=0 for=3s
