"""Sends a small message every ten milliseconds and measures when its echo is back.

    pingpong.py HOST PORT

A latency counts from when its message was due, whatever held it back. Prints four lines a
second: the time, and the latencies since the line before in microseconds. The end of standard input
ends it, with the ledger.
"""

import argparse
import json
import os
import select
import sys
import time

from bytestream import Ledger, Stream, connect

MESSAGE_BYTES = 64
PERIOD_SECONDS = 0.01
REPORT_SECONDS = 0.25
ECHO_SECONDS_MAX = 30


def prefer():
    """Goes before the load, which shares the CPU: the load's turn is not the server's latency."""
    try:
        os.nice(-10)
    except PermissionError:
        pass


def exchange(peer, stream, ledger):
    stream.sent += peer.send(stream.next(MESSAGE_BYTES))
    while stream.received < stream.sent:
        data = peer.recv(MESSAGE_BYTES)
        if not data:
            raise ConnectionError("the server ended it")
        ledger.book(stream, data)


def report(latencies):
    print(json.dumps({"time": time.time(), "latencies": latencies}), flush=True)
    latencies.clear()


def run(peer, ledger):
    latencies, stream, due = [], Stream(0), time.monotonic()
    next_report = due + REPORT_SECONDS
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        exchange(peer, stream, ledger)
        now = time.monotonic()
        latencies.append(round((now - due) * 1e6))
        due += PERIOD_SECONDS
        if now > next_report:
            report(latencies)
            next_report = now + REPORT_SECONDS
    report(latencies)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    prefer()
    ledger = Ledger()
    peer = connect(options.host, options.port, seconds=ECHO_SECONDS_MAX)
    ledger.connections = 1
    try:
        run(peer, ledger)
    except OSError as error:
        ledger.lose(error)
    peer.close()
    ledger.print()


main()
