"""Leaves in the middle of a transfer.

    quitters.py HOST PORT --connections N --way close|reset|killed

Each connection sends without pause and reads its echo some way behind. After a number of bytes it
closes or resets, with bytes under way in both directions, and another takes its place, until there
were N. With `killed` all N go on until the program is killed; `flowing` is printed once they all
have sent a good deal.
"""

import argparse
import random
import select

from bytestream import RUN_MAX, Ledger, Stream, connect, reset

OPEN_MAX = 25
BYTES_MAX = 2 << 20
LAG_BYTES_MAX = 512 * 1024  # Less than the sockets hold, so that it never comes to a stand.
FLOWING_BYTES = 256 * 1024
STALL_SECONDS_MAX = 30


class Quitter:
    def __init__(self, options, number, chance):
        self.peer = connect(options.host, options.port, number)
        self.peer.setblocking(False)
        self.stream = Stream(number)
        self.length = chance.randint(1, BYTES_MAX)
        self.lag = chance.randint(1, LAG_BYTES_MAX)

    def move(self, mask, chance, ledger):
        """Sends a piece, and reads one when more than the lag is under way."""
        if mask & select.EPOLLOUT:
            piece = chance.randint(1, RUN_MAX)
            self.stream.sent += self.peer.send(self.stream.next(piece))
        if mask & ~select.EPOLLOUT and self.stream.sent - self.stream.received > self.lag:
            data = self.peer.recv(chance.randint(1, RUN_MAX))
            if not data:
                raise ConnectionError("the server ended it")
            ledger.book(self.stream, data)


def leave(peer, way):
    if way == "reset":
        reset(peer)
    else:
        peer.close()


def run(options):
    chance, ledger, poll, quitters = random.Random(4), Ledger(), select.epoll(), {}
    until_killed = options.way == "killed"

    def begin():
        if ledger.connections == options.connections:
            return
        quitter = Quitter(options, ledger.connections, chance)
        ledger.connections += 1
        quitters[quitter.peer.fileno()] = quitter
        poll.register(quitter.peer, select.EPOLLIN | select.EPOLLOUT)

    def end(number):
        poll.unregister(number)
        leave(quitters.pop(number).peer, options.way)
        begin()

    for _ in range(options.connections if until_killed else OPEN_MAX):
        begin()
    is_flowing = False
    while quitters:
        events = poll.poll(STALL_SECONDS_MAX)
        if not events:
            raise SystemExit(f"nothing moved for {STALL_SECONDS_MAX} s")
        for number, mask in events:
            quitter = quitters[number]
            try:
                quitter.move(mask, chance, ledger)
            except BlockingIOError:
                pass
            except OSError as error:
                ledger.lose(error)
                end(number)
                continue
            if not until_killed and quitter.stream.sent >= quitter.length:
                end(number)
        if until_killed and not is_flowing:
            is_flowing = all(one.stream.sent > FLOWING_BYTES for one in quitters.values())
            if is_flowing:
                print("flowing", flush=True)
    ledger.print()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--way", choices=("close", "reset", "killed"), required=True)
    run(parser.parse_args())


main()
