"""Listens on a port that a server has just left. Prints `bound`.

    bind.py HOST PORT

SO_REUSEADDR is what every server sets: it passes over connections in TIME_WAIT, but not over a socket
that still listens or a connection that is still open.
"""

import socket
import sys

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
print("bound")
