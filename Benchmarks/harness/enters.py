"""How many io_uring_enter calls a request costs: the batch size seen from outside.

It depends on which of load and server waits for the other, and that changes from run to run (the
reference: 0.06 to 0.56), hence the median of interleaved runs and no single one.
"""

from statistics import median

from harness.counting import enter_counter
from harness.servers import RunningServer

RUNS = 5
REQUESTS = 100_000


def measure(servers, row, load, options):
    """Returns {name: {median, values}}. Short runs, interleaved like the timed ones."""
    values = {server.name: [] for server in servers}
    for number in range(RUNS):
        for server in servers:
            options.say(f"enters a request, run {number + 1} of {RUNS}: {server.name}")
            values[server.name].append(_run(server, row, load, options))
    return {name: {"median": median(own), "values": own} for name, own in values.items()}


def _run(server, row, load, options):
    # Connecting is counted along: two or three calls a connection, 0.002 a request.
    with RunningServer(server, cpu=options.server_cpu) as running:
        with enter_counter(running.pid) as counter:
            load.run(running, row, requests=REQUESTS)
        return counter.count / REQUESTS
