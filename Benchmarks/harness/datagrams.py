"""Datagrams: echo and one way, 64 B and 1 KiB, in bursts, against recvmmsg/sendmmsg in C and SwiftNIO.

CPU time a datagram is the server's own, read by the load at both ends of a run; user instructions a
datagram are callgrind's, as in the section `instructions`. The programs of a row run in turn, round
by round. A datagram that is lost or wrong fails the section.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness import instructions
from harness.servers import HarnessError, RunningServer, Server, pin

BURST = 32
ROWS = [("echo", 64), ("echo", 1024), ("oneway", 64), ("oneway", 1024)]
FEW, MANY = 3_200, 16_000
DATAGRAMS_A_SECOND = 150_000  # About what a burst load does here; a run takes as long as is asked for.
SECONDS_MAX = 300


@dataclass(frozen=True)
class Targets:
    instructions_of_nio: float = 0.2
    cpu_of_c_one_way: float = 1.05


def entrants(build, options):
    """The table; the C server is the reference."""
    servers = [Server("c-mmsg", _address, build / "udp_mmsg")]
    for style, backend in (("callback", "uring"), ("async", "uring"), ("callback", "epoll")):
        name = "uringcore-epoll" if backend == "epoll" else f"uringcore-{style}"
        if options.datagrams:
            servers.append(Server(
                name, lambda port, style=style: [*_address(port), "--style", style],
                options.datagrams, static_binary=options.datagrams,
                environment={"URINGCORE_CORES": str(options.server_cpu),
                             "URINGCORE_BACKEND": backend},
                is_candidate=True, uses_io_uring=backend == "uring"))
    if options.nio_datagrams:
        servers.append(Server("nio", _address, options.nio_datagrams,
                              static_binary=options.nio_datagrams))
    return servers


def _address(port):
    return ["--host", "127.0.0.1", "--port", str(port)]


def measure(build, options):
    """Returns [{row, servers: {name: {cpu_us, cpu_ratio, per_second, instructions}}}]."""
    servers = entrants(build, options)
    rows = []
    for mode, count in ROWS:
        figures = {server.name: {"cpu_us": [], "per_second": []} for server in servers}
        datagrams = int(DATAGRAMS_A_SECOND * options.seconds)
        for round_ in range(options.rounds):
            options.say(f"datagrams, {mode} {count} B, round {round_ + 1} of {options.rounds}")
            for server in servers:
                with RunningServer(server, cpu=options.server_cpu) as running:
                    report = _load(build, running, mode, count, datagrams, options)
                own = figures[server.name]
                own["cpu_us"].append(report["server_cpu_seconds"] / report["datagrams"] * 1e6)
                own["per_second"].append(report["datagrams"] / report["seconds"])
        for server in servers:
            options.say(f"datagrams, {mode} {count} B, instructions: {server.name}")
            figures[server.name]["instructions"] = _instructions(build, server, mode, count, options)
        rows.append({"row": f"{mode} {count} B", "servers": _with_ratios(figures)})
    return rows


def _with_ratios(figures):
    reference = figures["c-mmsg"]["cpu_us"]
    for own in figures.values():
        own["cpu_ratios"] = [mine / theirs for mine, theirs in zip(own["cpu_us"], reference)]
        own["cpu_ratio"] = median(own["cpu_ratios"])
    return figures


def _load(build, running, mode, count, datagrams, options, pid=None):
    command = [build / "udp_load", running.port, mode, count, BURST, datagrams,
               running.pid if pid is None else pid]
    ended = subprocess.run([str(word) for word in command if word != ""], capture_output=True,
                           text=True, timeout=SECONDS_MAX, preexec_fn=lambda: pin(options.load_cpu))
    if ended.returncode != 0:
        raise HarnessError(f"datagrams to {running.server.name} were lost or wrong: "
                           f"{ended.stdout.strip()} {ended.stderr.strip()}")
    return json.loads(ended.stdout)


def _instructions(build, server, mode, count, options):
    """The median of as many differences of two counts as the options have pairs for."""
    with tempfile.TemporaryDirectory() as folder:
        binary = instructions.without_debug_information(server.static_binary, folder)
        pairs = 1 if options.smoke else 3
        return median((_total(build, server, binary, mode, count, options, MANY)
                       - _total(build, server, binary, mode, count, options, FEW)) / (MANY - FEW)
                      for _ in range(pairs))


def _total(build, server, binary, mode, count, options, datagrams):
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile"
        wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}",
                   f"--log-file={folder}/log"]
        with RunningServer(server, cpu=options.server_cpu, wrapper=wrapper, binary=binary,
                           environment=instructions.environment(server, build)) as running:
            _load(build, running, mode, count, datagrams, options, pid="")
        return instructions.total(profile.read_text(), server)


def lines(rows, context):
    """The section of `latest.md`."""
    for row in rows:
        yield f"### {row['row']}, bursts of {BURST}"
        yield ""
        yield "| server | CPU µs a datagram | CPU ratio | rounds | user instructions | datagrams/s |"
        yield "|---|---|---|---|---|---|"
        for name, own in row["servers"].items():
            low, high = min(own["cpu_ratios"]), max(own["cpu_ratios"])
            yield (f"| `{name}` | {median(own['cpu_us']):.2f} | {own['cpu_ratio']:.2f} "
                   f"| {low:.2f}–{high:.2f} | {own['instructions']:.0f} "
                   f"| {median(own['per_second']):,.0f} |")
        yield ""
        yield from _judged(row)


def _judged(row):
    own = row["servers"].get("uringcore-callback")
    if own is None:
        return
    if "nio" in row["servers"]:
        ratio = own["instructions"] / row["servers"]["nio"]["instructions"]
        most = Targets.instructions_of_nio
        yield (f"Instructions of `uringcore-callback` to `nio`: {ratio:.2f}; target {most}: "
               f"{'met' if ratio <= most else 'missed'}.")
    if row["row"].startswith("oneway"):
        most = Targets.cpu_of_c_one_way
        yield (f"CPU of `uringcore-callback` to `c-mmsg`: {own['cpu_ratio']:.2f}; target {most}: "
               f"{'met' if own['cpu_ratio'] <= most else 'missed'}.")
    yield ""
