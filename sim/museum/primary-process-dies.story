story The engine process of the Primary is killed under load; the device stays, requests are asked again, no error.
at 2s process-crash node=0 for=100ms
at 5s process-crash node=0 for=1s arg=1
at 7s process-crash node=0 for=10ms arg=1
expect primary 0
