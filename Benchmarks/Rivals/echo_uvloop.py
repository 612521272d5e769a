"""The Python rival: an echo server on uvloop, asyncio's loop on libuv.

A protocol with callbacks, which is what uvloop is fastest with; streams cost a task a connection.
"""

import argparse
import asyncio
import signal

import uvloop

BACKLOG = 4096  # The kernel cuts this down to net.core.somaxconn.


class Echo(asyncio.Protocol):
    """uvloop turns Nagle's algorithm off by itself."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def serve(host, port):
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: ended.done() or ended.set_result(None))
    server = await loop.create_server(Echo, host, port, backlog=BACKLOG)
    print("ready", flush=True)
    await ended
    server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.host, options.port))


if __name__ == "__main__":
    main()
