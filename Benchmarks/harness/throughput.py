"""CPU time, throughput and latency of every server under every row, in interleaved rounds.

The machine's speed drifts by more than the servers differ, so a server is compared with the
reference of the same round only, and the order rotates: nobody always runs after a pause.
"""

from statistics import median

from harness.ratios import summarize
from harness.servers import RunningServer

WARMUP_SECONDS = 0.5


def measure(servers, rows, load, options):
    """Returns a list of {row, servers: {name: figures}} in the order of the rows."""
    return [_measure_row(servers, row, load, options) for row in rows]


def _measure_row(servers, row, load, options):
    runs = {server.name: [] for server in servers}
    for number in range(options.rounds):
        turn = number % len(servers)
        for server in servers[turn:] + servers[:turn]:
            options.say(f"{row.name}, round {number + 1} of {options.rounds}: {server.name}")
            runs[server.name].append(_run(server, row, load, options))
    reference = runs[servers[0].name]
    figures = {name: _figures(own, reference) for name, own in runs.items()}
    for server in servers:
        if server.rival in runs:
            ratios = _ratios(runs[server.name], runs[server.rival])
            figures[server.name]["rival_cpu_ratio"] = {"rival": server.rival, **summarize(ratios)}
    return {"row": row.name, "servers": figures}


def _run(server, row, load, options):
    with RunningServer(server, cpu=options.server_cpu) as running:
        return load.run(running, row, seconds=options.seconds,
                        warmup_seconds=WARMUP_SECONDS, server_pid=running.pid)


def cpu_microseconds(run):
    return run["server_cpu_ns"] / max(1, run["requests"]) / 1000


def _ratios(runs, others):
    return [cpu_microseconds(own) / cpu_microseconds(other) for own, other in zip(runs, others)]


def _figures(runs, reference):
    requests = max(1, sum(run["requests"] for run in runs))
    return {
        "cpu_us_per_request": summarize([cpu_microseconds(run) for run in runs]),
        "cpu_ratio": summarize(_ratios(runs, reference)),
        # The kernel samples user time by its tick: a run sees a handful of samples, so the
        # rounds are pooled and no median is taken.
        "user_us_per_request": sum(run["server_user_ns"] for run in runs) / requests / 1000,
        "requests_per_second": median(run["requests_per_second"] for run in runs),
        "p50_us": median(run["p50_us"] for run in runs),
        "p99_us": median(run["p99_us"] for run in runs),
        "p99_9_us": median(run["p99_9_us"] for run in runs),
    }
