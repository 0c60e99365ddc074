#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain O_DIRECT copy of a disk over TCP: the yardstick for the resync rate.

copy.py send FILE BYTES PORT ADDRESS      copy.py receive FILE BYTES PORT

Pieces of 1 MiB, two buffers on each side: while one is read from the disk, the other one is sent, and the same way
round at the other end. The receiver prints "ready", then the seconds from the first byte to the end of its fdatasync.
"""
import mmap
import os
import queue
import socket
import sys
import threading
import time

PIECE = 1 << 20


def pieces(produce, consume, size):
    """produce(view) fills a buffer in a thread of its own, consume(view) empties it here."""
    free, full = queue.Queue(), queue.Queue()
    for _ in range(2):
        free.put(memoryview(mmap.mmap(-1, PIECE)))
    errors = []

    def fill():
        try:
            for at in range(0, size, PIECE):
                view = free.get()
                produce(view, at)
                full.put(view)
        except OSError as error:
            errors.append(error)
            full.put(None)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    for at in range(0, size, PIECE):
        view = full.get()
        if view is None:
            raise errors[0]
        consume(view, at)
        free.put(view)
    thread.join()


def send(path, size, port, address):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    sock = socket.create_connection((address, port))
    pieces(lambda view, at: os.preadv(fd, [view], at), lambda view, at: sock.sendall(view), size)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)


def receive_all(sock, view):
    at = 0
    while at < len(view):
        got = sock.recv_into(view[at:])
        if got == 0:
            raise ConnectionError("the sender has gone")
        at += got


def receive(path, size, port):
    fd = os.open(path, os.O_WRONLY | os.O_DIRECT)
    listener = socket.create_server(("", port))
    print("ready", flush=True)
    sock, _ = listener.accept()
    began = time.monotonic()
    pieces(lambda view, at: receive_all(sock, view), lambda view, at: os.pwritev(fd, [view], at), size)
    os.fdatasync(fd)
    print(time.monotonic() - began, flush=True)


def main():
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        receive(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))


if __name__ == "__main__":
    main()
