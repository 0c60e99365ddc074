#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A line between two hosts that does harm: bad_proxy.py LISTEN:PORT=TARGET:PORT...; modes come as lines on stdin.

    clean           pass everything
    flip BYTES      flip one bit about every BYTES bytes
    drop BYTES      leave a byte out about every BYTES bytes
    insert BYTES    put random bytes in between
    repeat BYTES    send a piece twice
    cut BYTES       end the connection in the middle of something
Every line is answered by `ok`, and by the number of times that harm was done before.
"""
import random
import selectors
import socket
import sys

PIECE = 16384


class Line:
    """One direction of one connection."""

    def __init__(self, source, sink, world):
        self.source, self.sink, self.world = source, sink, world
        self.waiting = b""

    def spoil(self, data):
        """The bytes that go on, None for the end of the connection."""
        world = self.world
        if world.mode == "clean":
            return data
        world.left -= len(data)
        if world.left > 0:
            return data
        world.left = world.rng.randrange(1, 2 * world.every)
        world.harm += 1
        at = world.rng.randrange(len(data))
        if world.mode == "flip":
            return data[:at] + bytes([data[at] ^ (1 << world.rng.randrange(8))]) + data[at + 1:]
        if world.mode == "drop":
            return data[:at] + data[at + 1:]
        if world.mode == "insert":
            return data[:at] + world.rng.randbytes(world.rng.randrange(1, 200)) + data[at:]
        if world.mode == "repeat":
            return data + data[at:]
        return None


class World:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.rng = random.Random(int(sys.argv[1]))
        self.mode, self.every, self.left, self.harm = "clean", 1, 0, 0

    def listen(self, text):
        here, there = text.split("=")
        host, port = here.rsplit(":", 1)
        server = socket.create_server((host, int(port)), backlog=64)
        target = there.rsplit(":", 1)
        self.selector.register(server, selectors.EVENT_READ, ("listen", (target[0], int(target[1]))))

    def accept(self, server, target):
        near, _ = server.accept()
        try:
            far = socket.create_connection(target, timeout=2)
        except OSError:
            near.close()
            return
        for s in (near, far):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.setblocking(False)
        ends = (Line(near, far, self), Line(far, near, self))
        for one, s in zip(ends, (near, far)):
            self.selector.register(s, selectors.EVENT_READ, ("data", one, ends[1] if one is ends[0] else ends[0]))

    def close(self, line):
        for s in (line.source, line.sink):
            try:
                self.selector.unregister(s)
            except (KeyError, ValueError):
                pass
            s.close()

    def interest(self, s, line, other):
        """What @s is waited for: input unless its line is clogged, output while the other line has some."""
        events = (0 if line.waiting else selectors.EVENT_READ) | (selectors.EVENT_WRITE if other.waiting else 0)
        self.selector.modify(s, events or selectors.EVENT_WRITE, ("data", line, other))

    def push(self, line, other):
        while line.waiting:
            try:
                sent = line.sink.send(line.waiting)
            except BlockingIOError:
                break
            line.waiting = line.waiting[sent:]
        self.interest(line.source, line, other)
        self.interest(line.sink, other, line)

    def data(self, s, events, line, other):
        try:
            if events & selectors.EVENT_WRITE:
                self.push(other, line)
            if events & selectors.EVENT_READ and not line.waiting:
                got = s.recv(PIECE)
                spoilt = self.spoil(line, got)
                if spoilt is None:
                    self.close(line)
                    return
                line.waiting = spoilt
                self.push(line, other)
        except OSError:
            self.close(line)

    @staticmethod
    def spoil(line, got):
        return line.spoil(got) if got else None

    def command(self):
        words = sys.stdin.readline().split()
        if not words:
            sys.exit(0)
        self.mode = words[0]
        if len(words) > 1:
            self.every = int(words[1])
            self.left = self.every
        print("ok", self.harm, flush=True)
        self.harm = 0

    def run(self):
        for text in sys.argv[2:]:
            self.listen(text)
        self.selector.register(sys.stdin, selectors.EVENT_READ, ("command",))
        print("ready", flush=True)
        while True:
            for key, events in self.selector.select():
                what = key.data
                if what[0] == "command":
                    self.command()
                elif what[0] == "listen":
                    self.accept(key.fileobj, what[1])
                elif key.fileobj.fileno() >= 0:
                    self.data(key.fileobj, events, what[1], what[2])


World().run()
