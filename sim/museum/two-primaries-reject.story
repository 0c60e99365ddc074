story two-primaries-reject: promotion is refused while the other node is a connected Primary.
at 2s promote node=1
at 4s promote-force node=1
expect refused primary
expect primary 0
