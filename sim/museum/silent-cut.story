story Packets vanish without a reset: pings find out, writes go on alone, the return is a resync by bitmap.
at 2s cut-both for=8s
expect primary 0
