"""Sends random bytes in chunks of random sizes, and checks that exactly these come back.

    echo.py HOST PORT --bytes B [--connections N] [--seed S] [--wait]

Writes and reads go on at the same time. When all is sent, the sending side is shut down; the server
must still send the rest, then end its side. Prints `echoed BYTES` or exits 1 with what was wrong.
With --wait the server may still be about to listen; then the end of standard input ends the program.
"""

import argparse
import hashlib
import random
import select
import selectors
import socket
import sys
import time

CHUNK_MAX = 65536
SECONDS_MAX = 90  # For one event, not for all: a server that stands still is found out.


def connect(address, waits):
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            if not waits or time.monotonic() > deadline:
                raise
            if select.select([sys.stdin], [], [], 0.01)[0]:
                sys.exit("not wanted any more")


class Conversation:
    def __init__(self, connected, byte_count, generator):
        self.socket = connected
        self.socket.setblocking(False)
        self.generator = generator
        self.unsent = byte_count
        self.unread = byte_count
        self.pending = memoryview(b"")
        self.sent = hashlib.sha256()
        self.received = hashlib.sha256()

    def write(self):
        """Returns whether there is more to write."""
        if not self.pending:
            size = min(self.unsent, self.generator.randint(1, CHUNK_MAX))
            chunk = self.generator.randbytes(size)
            self.sent.update(chunk)
            self.pending = memoryview(chunk)
            self.unsent -= size
        count = self.socket.send(self.pending)
        self.pending = self.pending[count:]
        if self.pending or self.unsent:
            return True
        self.socket.shutdown(socket.SHUT_WR)
        return False

    def read(self):
        """Returns whether more is to come: not after the end."""
        data = self.socket.recv(self.generator.randint(1, CHUNK_MAX))
        self.received.update(data)
        self.unread -= len(data)
        if data and self.unread >= 0:
            return True
        if self.unread:
            sys.exit(f"{self.unread} bytes were still to come at the end of the stream")
        if self.received.digest() != self.sent.digest():
            sys.exit("the bytes that came back are not those that were sent")
        self.socket.close()
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()

    selector = selectors.DefaultSelector()
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    for number in range(options.connections):
        generator = random.Random(options.seed * 1_000_003 + number)
        connected = connect((options.host, options.port), options.wait)
        talk = Conversation(connected, options.bytes, generator)
        selector.register(talk.socket, both, talk)

    while selector.get_map():
        events = selector.select(SECONDS_MAX)
        if not events:
            sys.exit(f"nothing happened for {SECONDS_MAX} s")
        for key, mask in events:
            if mask & selectors.EVENT_WRITE and not key.data.write():
                selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
            if mask & selectors.EVENT_READ:
                # A closed socket can't be looked up any more: it goes first.
                entry = selector.unregister(key.fileobj)
                if entry.data.read():
                    events_left = both if entry.data.pending or entry.data.unsent else (
                        selectors.EVENT_READ)
                    selector.register(entry.fileobj, events_left, entry.data)
    print("echoed", options.bytes * options.connections)


main()
