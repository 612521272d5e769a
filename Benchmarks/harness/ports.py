"""Ports on 127.0.0.1."""

import socket


def unused_port():
    """A port nobody listens on now. Another process could take it first; the server then says so.

    Chosen below the ephemeral range's usual start: the load's own connections can't occupy it.
    """
    for port in range(20000, 30000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no port from 20000 to 29999 is free on 127.0.0.1")
