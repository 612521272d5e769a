"""The bytes of a connection, the check of what came back, and the ledger of a program's run."""

import json
import random
import socket
import struct

RUN_MAX = 256 * 1024  # As many bytes can be had in one piece from any position.

# All streams walk one table whose length is a prime: a buffer that comes back twice, late, or to
# another connection is off by a multiple of no power of two.
PERIOD = 1_048_573
_TABLE = random.Random(1).randbytes(PERIOD)
_TABLE += _TABLE[:RUN_MAX]
_VIEW = memoryview(_TABLE)

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close that resets.
IP_BIND_ADDRESS_NO_PORT = 24     # linux/in.h; the socket module doesn't have it.


class Stream:
    """What one connection sends, and what must come back."""

    def __init__(self, number):
        self.start = number * 7919
        self.sent = 0
        self.received = 0

    def next(self, count):
        """The next bytes to send, at most RUN_MAX; `sent` moves when they were."""
        place = (self.start + self.sent) % PERIOD
        return _VIEW[place:place + count]

    def take(self, data):
        """Books received bytes; returns how many of them are wrong."""
        place = (self.start + self.received) % PERIOD
        surplus = max(0, self.received + len(data) - self.sent)
        self.received += len(data)
        # One memcmp, without a copy.
        if not surplus and _TABLE.startswith(data, place):
            return 0
        expected = _VIEW[place:place + len(data)]
        return max(surplus, sum(own != other for own, other in zip(data, expected)))


class Ledger:
    """What a program reports at its end: one line of JSON."""

    def __init__(self):
        self.connections = 0
        self.bytes = 0
        self.wrong_bytes = 0
        self.lost = 0
        self.first_loss = None

    def book(self, stream, data):
        self.bytes += len(data)
        self.wrong_bytes += stream.take(data)

    def lose(self, why):
        self.lost += 1
        self.first_loss = self.first_loss or str(why)

    def print(self, **more):
        print(json.dumps({**vars(self), **more}), flush=True)


def connect(host, port, number=0, segment_bytes=None, receive_bytes=None, seconds=20):
    """A connection; over loopback it comes from one of several addresses, as the ports of one
    would be used up by connections that wait out their end."""
    peer = socket.socket()
    try:
        peer.settimeout(seconds)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if segment_bytes:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_bytes)
        if receive_bytes:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if host == "127.0.0.1":
            peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            peer.bind((f"127.0.0.{2 + number % 8}", 0))
        peer.connect((host, port))
    except BaseException:
        peer.close()
        raise
    return peer


def kernel_view(peer):
    """Both ends of a loopback connection in the kernel's eyes: what they queue, and their timers
    (1 repeats, 4 asks whether a full peer has room again)."""
    ports = {"%04X" % address[1] for address in (peer.getsockname(), peer.getpeername())}
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    ends = [f"port {row[1][-4:]} out:in {row[4]} timer {row[5]}" for row in rows
            if {row[1][-4:], row[2][-4:]} == ports]
    return "; ".join(ends)


def reset(peer):
    """Ends a connection with RST instead of FIN."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.close()
