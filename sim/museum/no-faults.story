story A load without any fault ends with equal disks and without any resync.
set flushes 50
set zeroes 30
expect primary 0
expect resync-at-most 0
