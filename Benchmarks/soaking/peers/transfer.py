"""Sends a number of bytes over connections of any length, in pieces of any size, and half-closes.

    transfer.py HOST PORT --bytes N [--connections N] [--seed N] [--longest N]

Each connection sends from 0 bytes to `--longest`, closes its sending side, and reads the rest of
its echo and then the end. Others follow until N bytes were sent.
"""

import argparse
import random
import select
import socket

from bytestream import RUN_MAX, Ledger, Stream, connect

STALL_SECONDS_MAX = 30
ROOM = memoryview(bytearray(RUN_MAX))


class Conversation:
    def __init__(self, peer, number, length):
        self.peer = peer
        self.stream = Stream(number)
        self.length = length
        self.is_sending = True

    def send(self, chance):
        """Sends one piece, or the end."""
        left = self.length - self.stream.sent
        if left > 0:
            piece = min(left, chance.randint(1, chance.choice((64, 4096, RUN_MAX, RUN_MAX))))
            self.stream.sent += self.peer.send(self.stream.next(piece))
        else:
            self.peer.shutdown(socket.SHUT_WR)
            self.is_sending = False

    def receive(self, chance, ledger):
        """Takes what is there; returns False at the end of the echo."""
        most = chance.choice((500, RUN_MAX, RUN_MAX, RUN_MAX))
        count = self.peer.recv_into(ROOM[:most])
        if count:
            ledger.book(self.stream, ROOM[:count])
            return True
        if self.is_sending or self.stream.received < self.length:
            raise ConnectionError(f"the echo ended after {self.stream.received} bytes "
                                  f"of {self.length}")
        return False


class Transfer:
    def __init__(self, options):
        self.options = options
        self.chance = random.Random(options.seed)
        self.ledger = Ledger()
        self.left = options.bytes
        self.poll = select.epoll()
        self.open_ones = {}

    def run(self):
        for _ in range(self.options.connections):
            self.begin()
        while self.open_ones:
            events = self.poll.poll(STALL_SECONDS_MAX)
            if not events:
                for number in list(self.open_ones):
                    self.lose(number, f"nothing moved for {STALL_SECONDS_MAX} s")
            for number, mask in events:
                self.go_on(number, mask)
        self.ledger.print()

    def begin(self):
        """One more connection; does nothing once every byte has a connection."""
        if self.left <= 0:
            return
        chance, longest = self.chance, self.options.longest
        length = chance.randint(0, chance.choice((1000, longest // 64, longest, longest)))
        length = min(length, self.left)
        # An empty one costs a byte as well, so that they come to an end.
        self.left -= max(1, length)
        number = self.ledger.connections
        self.ledger.connections += 1
        try:
            peer = connect(self.options.host, self.options.port, number)
        except OSError as error:
            self.ledger.lose(error)
            return
        peer.setblocking(False)
        self.open_ones[peer.fileno()] = Conversation(peer, number, length)
        self.poll.register(peer, select.EPOLLIN | select.EPOLLOUT)

    def go_on(self, number, mask):
        one = self.open_ones[number]
        try:
            if mask & select.EPOLLOUT and one.is_sending:
                one.send(self.chance)
                if not one.is_sending:
                    self.poll.modify(number, select.EPOLLIN)
            if mask & ~select.EPOLLOUT and not one.receive(self.chance, self.ledger):
                self.end(number)
                self.begin()
        except BlockingIOError:
            pass
        except OSError as error:
            self.lose(number, error)
            self.begin()

    def lose(self, number, why):
        self.ledger.lose(why)
        self.end(number)

    def end(self, number):
        self.poll.unregister(number)
        self.open_ones.pop(number).peer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--longest", type=int, default=64 << 20)
    Transfer(parser.parse_args()).run()


main()
