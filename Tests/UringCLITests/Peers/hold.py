"""Holds connections open until the server ends them.

    hold.py HOST PORT [--idle N] [--stuck N] [--late N] [--flowing N]

An idle connection was echoed one byte and then sends nothing. A stuck one sends without reading, until
its own buffers and the server's are full. A late one has sent all that it has, and begins to read when
the server has ended every idle one: its whole echo must come, then the end. A flowing one sends and reads without pause. Prints `held`
when all are so, and `ended COUNT` when the server has ended every one of them. The end of standard
input ends the program at once.
"""

import argparse
import fcntl
import select
import socket
import struct
import sys
import termios

CHUNK = bytes(65536)
SECONDS_MAX = 90  # For one event.
FULL_SECONDS = 0.3  # No room for so long: the server has stopped to read.
LATE = bytes(131072)  # Less than makes an echo pause, more than sockets take unread.


def connect(options, receive_bytes=None):
    peer = socket.socket()
    if receive_bytes:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    peer.connect((options.host, options.port))
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


def send_all(peer):
    """Sends, and waits until the server's side has taken it."""
    peer.setblocking(True)
    peer.sendall(LATE)
    while struct.unpack("i", fcntl.ioctl(peer, termios.TIOCOUTQ, bytes(4)))[0]:
        pause(0.01)


def pause(seconds):
    """For what gives no sign: an echo that waits in the server."""
    select.epoll().poll(seconds)


def read_rest(peer):
    count = 0
    while data := peer.recv(len(LATE)):
        count += len(data)
    if count != len(LATE):
        sys.exit(f"{count} of {len(LATE)} bytes came back")


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
    for kind in ("--idle", "--stuck", "--late", "--flowing"):
        parser.add_argument(kind, type=int, default=0)
    options = parser.parse_args()

    def open_peers(count, receive_bytes=None):
        peers = (connect(options, receive_bytes) for _ in range(count))
        return {peer.fileno(): peer for peer in peers}

    idle, stuck, flowing = map(open_peers, (options.idle, options.stuck, options.flowing))
    late = open_peers(options.late, receive_bytes=4096)
    fill(stuck)
    for peer in late.values():
        send_all(peer)
    if late:
        pause(FULL_SECONDS)

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
    while ended < len(peers) + options.late:
        events = poll.poll(SECONDS_MAX)
        if not events:
            sys.exit(f"nothing happened for {SECONDS_MAX} s; {ended} have ended")
        for number, mask in events:
            if number == sys.stdin.fileno():
                return
            if number in stuck or not is_open(peers[number], mask):
                poll.unregister(number)
                ended += 1
                idle.pop(number, None)
        if late and not idle:
            for peer in late.values():
                read_rest(peer)
            ended += len(late)
            late = {}
    print("ended", ended, flush=True)


main()
