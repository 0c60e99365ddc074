#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random 4 KiB writes to an NBD export in bursts: for count.py, whose counts depend on how many writes come at once.

bursts.py SOCKET EXPORT BURST WRITES AREA

BURST writes are sent in one piece; the next ones when all of them have been answered. So, whatever else the machine
does, a turn of the server's loop finds about as many, and a burst is an epoch.
"""
import random
import socket
import struct
import sys

BLOCK = 4096
REQUEST_MAGIC, REPLY_MAGIC = 0x25609513, 0x67446698
WRITE, DISCONNECT = 1, 2
OPTION_GO, REPLY_ACK = 7, 1


class Client:
    """A connection in transmission phase."""

    def __init__(self, path, export):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)  # a burst in one piece
        self.read(18)  # NBDMAGIC, IHAVEOPT, flags
        name = export.encode()
        choice = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
        self.sock.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", OPTION_GO, len(choice)) + choice)
        answer = 0
        while answer != REPLY_ACK:
            answer, length = struct.unpack(">II", self.read(20)[12:])
            self.read(length)
            if answer & 0x80000000:
                sys.exit(f"bursts: {path} does not serve {export}: {answer:#x}")

    def read(self, count):
        got = bytearray()
        while len(got) < count:
            piece = self.sock.recv(count - len(got))
            if not piece:
                sys.exit("bursts: the server has closed the connection")
            got += piece
        return bytes(got)

    def request(self, what, cookie, offset, length):
        return struct.pack(">IHHQQI", REQUEST_MAGIC, 0, what, cookie, offset, length)

    def burst(self, blocks, data):
        self.sock.sendall(b"".join(self.request(WRITE, at, block * BLOCK, BLOCK) + data for at, block in enumerate(blocks)))
        replies = self.read(16 * len(blocks))
        for at in range(0, len(replies), 16):
            if struct.unpack_from(">II", replies, at) != (REPLY_MAGIC, 0):
                sys.exit(f"bursts: a write was refused: {replies[at:at + 16].hex()}")

    def close(self):
        self.sock.sendall(self.request(DISCONNECT, 0, 0, 0))
        self.sock.close()


def main():
    path, export, burst, writes, area = sys.argv[1], sys.argv[2], *(int(word) for word in sys.argv[3:6])
    chance = random.Random(1)
    data = chance.randbytes(BLOCK)
    client = Client(path, export)
    for _ in range(writes // burst):
        client.burst([chance.randrange(area // BLOCK) for _ in range(burst)], data)
    client.close()


if __name__ == "__main__":
    main()
