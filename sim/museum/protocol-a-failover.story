story protocol A: after a Primary's loss only a suffix of its writes may be missing, and its return rolls it back.
set protocol A
at 3s power-cut node=0 for=4s
at 4500ms promote node=1
expect primary 1
