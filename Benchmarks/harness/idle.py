"""What connections cost that have nothing to say: system calls, and memory each."""

import re
import time
from pathlib import Path

from harness.counting import enter_counter
from harness.rows import Row
from harness.servers import HarnessError, RunningServer

COUNTED_CONNECTIONS = 1_000
COUNTED_SECONDS = 5
FEW_CONNECTIONS = 1_000
MANY_CONNECTIONS = 10_000
SETTLE_SECONDS = 1


def measure(servers, load, options):
    """Returns {name: {enters, seconds, connections, rss_bytes_per_connection, ...}}."""
    return {server.name: {**_count_enters(server, load, options),
                          **_weigh_connections(server, load, options)} for server in servers}


def _count_enters(server, load, options):
    """`enters` is None for a server that doesn't use io_uring."""
    if not server.uses_io_uring:
        return {"enters": None, "seconds": COUNTED_SECONDS, "connections": COUNTED_CONNECTIONS}
    options.say(f"enters in {COUNTED_SECONDS} s with {COUNTED_CONNECTIONS} idle connections: "
                f"{server.name}")
    row = Row(COUNTED_CONNECTIONS, 64)
    with RunningServer(server, cpu=options.server_cpu) as running:
        with load.idle(running, row, SETTLE_SECONDS + COUNTED_SECONDS + 3):
            time.sleep(SETTLE_SECONDS)
            with enter_counter(running.pid) as counter:
                time.sleep(COUNTED_SECONDS)
    return {"enters": counter.count, "seconds": COUNTED_SECONDS,
            "connections": COUNTED_CONNECTIONS}


def _weigh_connections(server, load, options):
    """The growth from few to many connections. What is fixed, the buffer pool above all, is
    touched to its end beforehand, so that it isn't counted as the connections' memory."""
    options.say(f"memory of {MANY_CONNECTIONS} idle connections: {server.name}")
    with RunningServer(server, cpu=options.server_cpu) as running:
        load.run(running, Row(200, 16 * 1024), requests=20_000)
        few = _anonymous_bytes_with(FEW_CONNECTIONS, running, load)
        many = _anonymous_bytes_with(MANY_CONNECTIONS, running, load)
    added = MANY_CONNECTIONS - FEW_CONNECTIONS
    return {"rss_bytes_few": few, "rss_bytes_many": many,
            "rss_bytes_per_connection": (many - few) / added}


def _anonymous_bytes_with(connections, running, load):
    with load.idle(running, Row(connections, 64), SETTLE_SECONDS + 1):
        time.sleep(SETTLE_SECONDS)
        status = Path(f"/proc/{running.pid}/status").read_text()
    found = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    if not found:
        raise HarnessError("the kernel doesn't report RssAnon.")
    return int(found.group(1)) * 1024
