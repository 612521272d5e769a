"""What a request costs in one process of two shards, beside two processes of one shard each.

Server and load have to share two CPUs. Four load generators, two pinned to each CPU, are the same
in every set-up, with the same connections and one common window:

- together: one server with a shard on each CPU; all generators load it;
- apart: a server of one shard on each CPU; of each CPU's generators one loads this, one that;
- alone: one server of one shard, on either CPU in turn; all generators load it.

`apart` is what `together` is judged by: a shard has the same neighbours on its CPU, as many
connections, and half of its traffic from the other CPU. The sharding is all that differs.
`alone` is no fair measure and is reported only: it leaves the other CPU half idle, takes larger
batches, and two servers that share nothing at all cost up to a third more than it does.
"""

from contextlib import ExitStack, contextmanager
from statistics import mean, median

from harness.ratios import summarize
from harness.rows import Row
from harness.servers import HarnessError, RunningServer

ROW = Row(25, 64)  # Of each generator: 50 connections a shard.
BEGIN_SECONDS = 1.0


def measure(servers, load, options):
    """Returns {name: {cpu_us: {set-up: median}, ratio_to_apart, ratio_to_alone, ...}}."""
    return {server.name: _compare(server, load, options) for server in servers}


def _compare(server, load, options):
    cpus = [options.server_cpu, options.load_cpu]
    runs = {"alone": [], "apart": [], "together": []}
    for number in range(options.rounds):
        turn = number % len(runs)
        names = list(runs)
        for name in names[turn:] + names[:turn]:
            options.say(f"shards, round {number + 1} of {options.rounds}: {server.name} {name}")
            groups = _groups(name, cpus, number)
            runs[name].append(_run(server, groups, cpus, load, options))
    return _figures(runs)


def _groups(name, cpus, number):
    """The CPUs of each server that the set-up runs."""
    return {"alone": [[cpus[number % 2]]],
            "apart": [[cpu] for cpu in cpus],
            "together": [cpus]}[name]


def _run(server, groups, cpus, load, options):
    with ExitStack() as stack:
        servers = [stack.enter_context(_started(server, group)) for group in groups]
        places = [(running, cpu) for running in servers * (2 // len(servers)) for cpu in cpus]
        reports = load.run_together(places, ROW, options.seconds, BEGIN_SECONDS)
    owners = [running.pid for running, _ in places]
    return {"cpu_us": _cpu_microseconds(reports, owners),
            "requests_per_second": sum(report["requests_per_second"] for report in reports)}


@contextmanager
def _started(server, group):
    environment = {"URINGCORE_CORES": ",".join(map(str, group))}
    with RunningServer(server, cpu=set(group), environment=environment) as running:
        shards = sum(": listening on " in line for line in running.lines)
        if shards != len(group):
            raise HarnessError(f"{server.name} started {shards} instead of {len(group)} shards.")
        yield running


def _cpu_microseconds(reports, owners):
    """Every generator of a server read the same clock over the same window."""
    busy = {}
    for owner, report in zip(owners, reports):
        busy.setdefault(owner, []).append(report["server_cpu_ns"] / report["seconds"])
    rate = sum(report["requests_per_second"] for report in reports)
    return sum(mean(own) for own in busy.values()) / max(1, rate) / 1000


def _figures(runs):
    def ratios(other):
        return summarize([own["cpu_us"] / base["cpu_us"]
                          for own, base in zip(runs["together"], runs[other])])
    return {"ratio_to_apart": ratios("apart"), "ratio_to_alone": ratios("alone"),
            **{key: {name: median(run[key] for run in own) for name, own in runs.items()}
               for key in ("cpu_us", "requests_per_second")}}
