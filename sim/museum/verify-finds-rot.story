story bits rot on both disks under load: a verify names the blocks, a new connection copies them, and both disks return the same.
set older-engines no
set spots 4
at 1s rot node=1
at 1500ms rot node=0
at 3s verify node=0 arg=1
at 8s rot node=1
expect done verify
expect primary 0
expect found
