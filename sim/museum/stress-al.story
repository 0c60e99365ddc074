story stress-al: writes all over a volume with more extents than the smallest activity log has slots; no hang.
set mib 320
set requests 1500
set depth 64
set reads 0
expect primary 0
expect resync-at-most 0
