"""An echo server with one fault, on a free port of 127.0.0.1 or on an abstract Unix socket.

    faulty.py [--abstract NAME] [--wrong-byte N | --extra-byte N | --swap | --close N | --silent N | --stall N SECONDS]

N counts bytes: the fault comes once a connection (--wrong-byte, --extra-byte, --stall: once at all) has
been sent so many. --wrong-byte changes one byte, --extra-byte sends one too many, --swap echoes to
another connection, --close closes, --silent stops to answer, --stall stops to read for so long, then
goes on. Prints `listening ADDRESS`, then `begun` when the first bytes came. Ends with its standard input.
"""

import argparse
import select
import socket
import sys


class Server:
    def __init__(self, options):
        self.options = options
        if options.abstract:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind("\0" + options.abstract)
            self.listener.listen(1024)
            self.address = "unix:@" + options.abstract
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            self.address = "%s:%d" % self.listener.getsockname()
        self.poll = select.epoll()
        self.poll.register(self.listener.fileno(), select.EPOLLIN)
        self.poll.register(sys.stdin.fileno(), select.EPOLLIN)
        self.peers = {}
        self.received = {}
        self.total = 0

    def run(self):
        print("listening", self.address, flush=True)
        while True:
            for number, _ in self.poll.poll():
                if number == sys.stdin.fileno():
                    return
                if number == self.listener.fileno():
                    peer = self.listener.accept()[0]
                    if not self.options.abstract:
                        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.peers[peer.fileno()] = peer
                    self.received[peer.fileno()] = 0
                    self.poll.register(peer.fileno(), select.EPOLLIN)
                elif number in self.peers:
                    self.serve(number)

    def serve(self, number):
        try:
            data = self.peers[number].recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            return self.close(number)
        if self.total == 0:
            print("begun", flush=True)
        before, self.total = self.total, self.total + len(data)
        self.received[number] += len(data)
        self.answer(number, bytearray(data), before)

    def answer(self, number, data, before):
        """`before` is how many bytes came before these, over all connections."""
        options = self.options

        def is_here(place):
            return place is not None and before <= place < self.total

        if is_here(options.wrong_byte):
            data[options.wrong_byte - before] ^= 0xFF
        if is_here(options.extra_byte):
            data += b"x"
        if options.stall and is_here(int(options.stall[0])):
            select.select([], [], [], options.stall[1])
        if options.silent is not None and self.received[number] > options.silent:
            return
        if options.close is not None and self.received[number] > options.close:
            return self.close(number)
        if options.swap:
            number = next((other for other in self.peers if other != number), number)
        try:
            self.peers[number].sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close(number)

    def close(self, number):
        self.poll.unregister(number)
        self.peers.pop(number).close()


def main():
    parser = argparse.ArgumentParser()
    for fault in ("--wrong-byte", "--extra-byte", "--close", "--silent"):
        parser.add_argument(fault, type=int)
    parser.add_argument("--abstract")
    parser.add_argument("--swap", action="store_true")
    parser.add_argument("--stall", type=float, nargs=2)
    Server(parser.parse_args()).run()


main()
