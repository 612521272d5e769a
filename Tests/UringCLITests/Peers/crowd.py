"""Opens more connections than a server may have descriptors for.

    crowd.py HOST PORT COUNT

Each connection sends a byte. When no more bytes come back for a while, prints `served COUNT`, how many
did. The end of standard input closes all connections and ends the program.
"""

import select
import socket
import sys

FULL_SECONDS = 0.5  # Nothing for so long: the server takes no more.
SECONDS_MAX = 90

HOST, PORT, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

peers = {}
poll = select.epoll()
for _ in range(COUNT):
    peer = socket.create_connection((HOST, PORT))
    peer.sendall(b"x")
    poll.register(peer, select.EPOLLIN)
    peers[peer.fileno()] = peer

served = 0
patience = SECONDS_MAX
while events := poll.poll(patience):
    for number, _ in events:
        served += peers[number].recv(1) == b"x"
        poll.unregister(number)
    patience = FULL_SECONDS
print("served", served, flush=True)
sys.stdin.read()
