story A Secondary loses a volume from its configuration and gets it back: a resync of what it missed, not of everything.
set volumes 2
set requests 500
set mib 40
set spots 4
at 2s del-volume node=1 volume=1 for=3s
expect done del-volume
expect primary 0
expect resync-at-most 14000000
