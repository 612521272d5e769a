"""Ports on 127.0.0.1."""

import itertools
import os
import socket

FIRST, COUNT = 20_000, 10_000

# Every run begins elsewhere and goes on from there: two at a time on one machine would otherwise
# choose the same port between looking and listening, again and again.
_offsets = itertools.count(os.getpid() * 101)


def unused_port():
    """A port nobody listens on now. Another process could take it first; the server then says so.

    Chosen below the ephemeral range's usual start: the load's own connections can't occupy it.
    """
    for offset in itertools.islice(_offsets, COUNT):
        port = FIRST + offset % COUNT
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError(f"no port from {FIRST} to {FIRST + COUNT - 1} is free on 127.0.0.1")
