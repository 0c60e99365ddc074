story Damaged bytes on the wire: the checksum finds them, the link is dropped and comes back, no data changes.
at 1s corrupt for=4s arg=60
expect primary 0
