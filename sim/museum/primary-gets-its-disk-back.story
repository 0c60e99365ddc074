story A Primary's disk is taken out by force and attached again while it serves: a resync from the peer, no older data, Primary all the time.
set mib 16
set spots 2
at 2s detach-force node=0
at 4s attach node=0
at 6s detach-force node=0
at 6010ms attach node=0
expect done detach
