"""Sends a small message every ten milliseconds and measures when its echo is back.

    pingpong.py HOST PORT [--server-pid PID]

A latency counts from when its message was due, whatever held it back. On a machine that others
use as well it tells as much of them; so the CPU time that the server spends between a message and
its echo is measured too: what it did for others first. Prints four lines a second: the time, and
both in microseconds for each message since the line before. The end of standard input ends it,
with the ledger.
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
ECHO_SECONDS_MAX = 60


def prefer():
    """Goes before the load, which shares the CPU: the load's turn is not the server's latency."""
    try:
        os.nice(-10)
    except PermissionError:
        pass


def cpu_clock(pid):
    """A function that tells a process's CPU time; of no process, one that stands still."""
    if pid is None:
        return lambda: 0.0
    clock = ~pid << 3 | 2  # As clock_getcpuclockid(3) makes it.
    return lambda: time.clock_gettime(clock)


def exchange(peer, stream, ledger):
    stream.sent += peer.send(stream.next(MESSAGE_BYTES))
    while stream.received < stream.sent:
        data = peer.recv(MESSAGE_BYTES)
        if not data:
            raise ConnectionError("the server ended it")
        ledger.book(stream, data)


def report(latencies, costs):
    print(json.dumps({"time": time.time(), "latencies": latencies, "costs": costs}), flush=True)
    latencies.clear()
    costs.clear()


def run(peer, ledger, cpu_seconds):
    latencies, costs, stream, due = [], [], Stream(0), time.monotonic()
    next_report = due + REPORT_SECONDS
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        spent = cpu_seconds()
        exchange(peer, stream, ledger)
        costs.append(round((cpu_seconds() - spent) * 1e6))
        now = time.monotonic()
        latencies.append(round((now - due) * 1e6))
        due += PERIOD_SECONDS
        if now > next_report:
            report(latencies, costs)
            next_report = now + REPORT_SECONDS
    report(latencies, costs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--server-pid", type=int)
    options = parser.parse_args()
    prefer()
    ledger = Ledger()
    peer = connect(options.host, options.port, seconds=ECHO_SECONDS_MAX)
    ledger.connections = 1
    try:
        run(peer, ledger, cpu_clock(options.server_pid))
    except OSError as error:
        ledger.lose(error)
    peer.close()
    ledger.print()


main()
