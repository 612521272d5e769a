"""Holds connections open until the server ends them.

    hold.py HOST PORT [--idle N] [--stuck N] [--flowing N]

An idle connection was echoed one byte and then sends nothing. A stuck one sends without reading, until
its own buffers and the server's are full. A flowing one sends and reads without pause. Prints `held`
when all are so, and `ended COUNT` when the server has ended every one of them. The end of standard
input ends the program at once.
"""

import argparse
import select
import socket
import sys

CHUNK = bytes(65536)
SECONDS_MAX = 90  # For one event.
FULL_SECONDS = 0.3  # No room for so long: the server has stopped to read.


def connect(options):
    peer = socket.create_connection((options.host, options.port))
    peer.sendall(b"x")
    if peer.recv(1) != b"x":
        sys.exit("no echo")
    peer.setblocking(False)
    return peer


def fill(peers):
    """Writes until none of them takes more."""
    poll = select.epoll()
    for number, peer in peers.items():
        poll.register(number, select.EPOLLOUT)
    while events := poll.poll(FULL_SECONDS):
        for number, _ in events:
            try:
                peers[number].send(CHUNK)
            except BlockingIOError:
                pass


def is_open(peer, events):
    """Goes on with a connection; returns whether the server still has it."""
    try:
        if events & select.EPOLLIN and not peer.recv(len(CHUNK)):
            return False
        if events & select.EPOLLOUT:
            peer.send(CHUNK)
    except BlockingIOError:
        pass
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    for kind in ("--idle", "--stuck", "--flowing"):
        parser.add_argument(kind, type=int, default=0)
    options = parser.parse_args()

    def open_peers(count):
        return {peer.fileno(): peer for peer in (connect(options) for _ in range(count))}

    idle, stuck, flowing = map(open_peers, (options.idle, options.stuck, options.flowing))
    fill(stuck)

    poll = select.epoll()
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    for number in idle:
        poll.register(number, select.EPOLLIN)
    for number in stuck:
        poll.register(number, select.EPOLLRDHUP)  # And EPOLLHUP and EPOLLERR, which come unasked.
    for number in flowing:
        poll.register(number, select.EPOLLIN | select.EPOLLOUT)

    print("held", flush=True)
    ended = 0
    peers = {**idle, **stuck, **flowing}
    while ended < len(peers):
        events = poll.poll(SECONDS_MAX)
        if not events:
            sys.exit(f"nothing happened for {SECONDS_MAX} s; {ended} have ended")
        for number, mask in events:
            if number == sys.stdin.fileno():
                return
            if number in stuck or not is_open(peers[number], mask):
                poll.unregister(number)
                ended += 1
    print("ended", ended, flush=True)


main()
