story The link is reset again and again under load; each time a short resync by bitmap follows, never a full one.
set mib 64
set spots 4
at 1s link-reset
at 2s link-reset
at 2010ms link-reset
at 2020ms link-reset
at 4s link-reset
at 4300ms link-reset
at 6s link-reset
expect primary 0
expect resync-at-most 30000000
