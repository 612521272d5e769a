"""Allocator calls an echoed message costs once its connection is open and warm."""

import tempfile
from pathlib import Path

from harness.servers import RunningServer

REQUESTS = 20_000
WARMUP_SECONDS = 0.5


def measure(servers, rows, load, build, options):
    """Returns {name: {row: {allocations, requests, per_message}}}."""
    return {server.name: {row.name: _run(server, row, load, build, options) for row in rows}
            for server in servers}


def _run(server, row, load, build, options):
    options.say(f"allocations a message, {row.name}: {server.name}")
    with tempfile.TemporaryDirectory() as folder:
        counter = Path(folder) / "count"
        environment = {"LD_PRELOAD": str(build / "malloc_count.so"),
                       "MALLOC_COUNT_FILE": str(counter),
                       # On a busy machine the watch for stalls has something to say, and a line is
                       # an allocation that no message asked for.
                       "URINGCORE_STALL_MS": "0"}
        with RunningServer(server, cpu=options.server_cpu, environment=environment) as running:
            report = load.run(running, row, requests=REQUESTS, warmup_seconds=WARMUP_SECONDS,
                              counter_file=counter)
            total = int.from_bytes(counter.read_bytes(), "little")
    return {"allocations": report["allocations"], "requests": report["requests"],
            "per_message": report["allocations"] / max(1, report["requests"]),
            # A server that never allocates wasn't preloaded: start-up alone makes some calls.
            "was_preloaded": total > 0}
