"""Sends a lot on many connections and hardly reads.

    slow_readers.py HOST PORT --connections N --seconds S

Every connection sends until nothing moves any more: until the server, too, has as much as it takes.
Then half of them read nothing, the others a little each second, for S seconds. In the end all
close their sending sides and read: every byte must come, and the end.
"""

import argparse
import select
import socket
import time

from bytestream import RUN_MAX, Ledger, Stream, connect, kernel_view

# Small segments keep the server's send buffers small, which grow with the segment: what isn't
# read has to wait in the server's own memory, and not in the kernel's.
SEGMENT_BYTES = 1000
RECEIVE_BYTES = 32 * 1024
RECEIVE_BYTES_LATER = 1 << 20
SEND_BYTES = 32 * 1024
SENT_MAX = 1 << 20  # A server that takes everything is no reason to send for ever.
QUIET_SECONDS = 1.0
SIP_BYTES = 1024
# Loopback drops packets when too many come at a time, and a full peer is asked ever more rarely.
STALL_SECONDS_MAX = 100


class SlowReaders:
    def __init__(self, options):
        self.options = options
        self.ledger = Ledger()
        self.poll = select.epoll()
        self.readers = {}

    def run(self):
        for number in range(self.options.connections):
            peer = connect(self.options.host, self.options.port, number, SEGMENT_BYTES,
                           RECEIVE_BYTES)
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
            self.readers[peer.fileno()] = (peer, Stream(number))
        self.ledger.connections = len(self.readers)
        self.fill()
        sent = sum(stream.sent for _, stream in self.readers.values())
        hold_begin = time.time()
        self.hold()
        hold_end = time.time()
        self.finish()
        self.ledger.print(sent=sent, hold=(hold_begin, hold_end))

    def fill(self):
        for number in self.readers:
            self.poll.register(number, select.EPOLLOUT)
        while events := self.poll.poll(QUIET_SECONDS):
            for number, _ in events:
                self.send(number)
        # Of those that are full nothing may be heard while they hold.
        self.poll.close()
        self.poll = select.epoll()

    def send(self, number):
        peer, stream = self.readers[number]
        piece = min(RUN_MAX, SENT_MAX - stream.sent)
        try:
            stream.sent += peer.send(stream.next(piece))
        except BlockingIOError:
            pass
        if stream.sent == SENT_MAX:
            self.poll.unregister(number)

    def hold(self):
        deadline = time.monotonic() + self.options.seconds
        sippers = list(self.readers.values())[::2]
        while (left := deadline - time.monotonic()) > 0:
            for peer, stream in sippers:
                try:
                    self.ledger.book(stream, peer.recv(SIP_BYTES))
                except BlockingIOError:
                    pass
            time.sleep(min(left, 1))

    def finish(self):
        for number, (peer, _) in self.readers.items():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES_LATER)
            peer.shutdown(socket.SHUT_WR)
            self.poll.register(number, select.EPOLLIN)
        while self.readers:
            events = self.poll.poll(STALL_SECONDS_MAX)
            if not events:
                for peer, stream in self.readers.values():
                    self.ledger.lose(f"nothing moved for {STALL_SECONDS_MAX} s after "
                                     f"{stream.received} of {stream.sent} bytes; "
                                     f"{kernel_view(peer)}")
                return
            for number, _ in events:
                self.read(number)

    def read(self, number):
        peer, stream = self.readers[number]
        try:
            data = peer.recv(RUN_MAX)
            if not data and stream.received < stream.sent:
                raise ConnectionError(f"the echo ended after {stream.received} bytes "
                                      f"of {stream.sent}")
        except BlockingIOError:
            return
        except OSError as error:
            self.ledger.lose(error)
            data = b""
        if data:
            self.ledger.book(stream, data)
        else:
            self.poll.unregister(number)
            self.readers.pop(number)
            peer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    SlowReaders(parser.parse_args()).run()


main()
