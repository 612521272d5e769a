"""Opens connections and ends them, again and again.

    churn.py HOST PORT --connections N [--gentle]

A few dozen are open at a time. Each sends up to 200 bytes and ends in one of four ways: it reads
its echo and closes; it closes its sending side and reads to the end; it reads its echo and resets;
it resets without having read. `--gentle` leaves out the resets.
"""

import argparse
import random
import socket
from collections import deque

from bytestream import Ledger, Stream, connect, reset

OPEN_MAX = 48
BYTES_MAX = 200


def begin(options, number, chance):
    peer, stream = connect(options.host, options.port, number), Stream(number)
    try:
        stream.sent = peer.send(stream.next(chance.randint(1, BYTES_MAX)))
    except BaseException:
        peer.close()
        raise
    return peer, stream


def read_echo(peer, stream, ledger):
    while stream.received < stream.sent:
        data = peer.recv(BYTES_MAX)
        if not data:
            raise ConnectionError("the echo ended early")
        ledger.book(stream, data)


def end(peer, stream, way, ledger):
    if way == 3:
        reset(peer)
        return
    if way == 1:
        peer.shutdown(socket.SHUT_WR)
    read_echo(peer, stream, ledger)
    if way == 1 and peer.recv(1):
        raise ConnectionError("more came back than was sent")
    if way == 2:
        reset(peer)
    peer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--gentle", action="store_true")
    options = parser.parse_args()
    ledger, chance, open_ones = Ledger(), random.Random(2), deque()

    def end_oldest():
        number, peer, stream = open_ones.popleft()
        try:
            end(peer, stream, number % (2 if options.gentle else 4), ledger)
        except OSError as error:
            ledger.lose(error)
            peer.close()

    for number in range(options.connections):
        try:
            open_ones.append((number, *begin(options, number, chance)))
            ledger.connections += 1
        except OSError as error:
            ledger.lose(error)
        if len(open_ones) == OPEN_MAX:
            end_oldest()
    while open_ones:
        end_oldest()
    ledger.print()


main()
