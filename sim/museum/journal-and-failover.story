story A database with its log on one volume and its tables on others: the Primary's host dies, the new one finds every committed transaction.
set volumes 3
set journal yes
set depth 16
set requests 1200
set reads 100
at 2s power-cut node=1 for=300ms
at 5s failover node=1 for=3s arg=1
expect primary 1
