"""Holds connections that send one byte a second each.

    slowloris.py HOST PORT --connections N --seconds S

The bytes are spread over the second. Each must come back before the connection's next is due, or
shortly after; in the end all close their sending sides and read to the end.
"""

import argparse
import select
import socket
import time

from bytestream import Ledger, Stream, connect

STALL_SECONDS_MAX = 30
LATE_BYTES_MAX = 10  # So many seconds may an echo take.


class Slowloris:
    def __init__(self, options):
        self.options = options
        self.ledger = Ledger()
        self.poll = select.epoll()
        self.peers = {}

    def run(self):
        self.open()
        self.drip()
        self.finish()
        self.ledger.print()

    def open(self):
        for number in range(self.options.connections):
            try:
                peer = connect(self.options.host, self.options.port, number)
            except OSError as error:
                self.ledger.lose(error)
                continue
            peer.setblocking(False)
            self.peers[peer.fileno()] = (peer, Stream(number))
            self.poll.register(peer, select.EPOLLIN)
        self.ledger.connections = len(self.peers)

    def drip(self):
        """A byte for each in turn, so many a second that it is one a second each."""
        begin, count = time.monotonic(), 0
        turns = list(self.peers)
        while turns and (now := time.monotonic() - begin) < self.options.seconds:
            while count < now * len(turns):
                self.send(turns[count % len(turns)])
                count += 1
            self.receive(0.01)

    def send(self, number):
        if number not in self.peers:
            return
        peer, stream = self.peers[number]
        try:
            stream.sent += peer.send(stream.next(1))
            if stream.sent - stream.received > LATE_BYTES_MAX:
                raise ConnectionError("its echo stays away")
        except OSError as error:
            self.lose(number, error)

    def receive(self, seconds):
        """Takes what has come; returns whether anything had."""
        events = self.poll.poll(seconds)
        for number, _ in events:
            peer, stream = self.peers[number]
            try:
                data = peer.recv(100)
            except OSError as error:
                self.lose(number, error)
                continue
            if data:
                self.ledger.book(stream, data)
            elif stream.received < stream.sent:
                self.lose(number, "the echo ended early")
            else:
                self.end(number)
        return bool(events)

    def finish(self):
        for number, (peer, _) in list(self.peers.items()):
            try:
                peer.shutdown(socket.SHUT_WR)
            except OSError as error:
                self.lose(number, error)
        while self.peers:
            if not self.receive(STALL_SECONDS_MAX):
                for number in list(self.peers):
                    self.lose(number, "its end stayed away")

    def lose(self, number, why):
        self.ledger.lose(why)
        self.end(number)

    def end(self, number):
        self.poll.unregister(number)
        self.peers.pop(number)[0].close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    Slowloris(parser.parse_args()).run()


main()
