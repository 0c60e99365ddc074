story protocol B: what was received survives the Primary.
set protocol B
at 3s power-cut node=0 for=4s
at 4500ms promote node=1
expect primary 1
