story promote_while_connecting: a promotion meets a handshake.
at 1s demote node=0
at 2s link-reset
at 2050ms promote node=1
at 5s demote node=1
at 6s link-reset
at 6000ms promote node=0
expect done primary
