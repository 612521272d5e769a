"""User-space instructions a request, counted by callgrind: repeats where time doesn't.

Two runs with different numbers of requests; the difference leaves start-up, connecting and the
end out of the account. What remains of chance is how many requests meet in one turn of the
server: the C reference moved between 196 and 222 on a busy machine, so the median of five counts.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from harness.servers import HarnessError, RunningServer

REQUESTS_FEW = 2_000
REQUESTS_MANY = 12_000
PAIRS = 5
SHIM = "yielding_enter.so"
PAIRS_OF_RIVALS_IN_SMOKE = 1  # No gate depends on them.


def measure(servers, row, load, build, options):
    """Returns {name: {median, values}}; a server without a usable binary has no entry."""
    if not shutil.which("valgrind"):
        raise HarnessError("instructions can't be counted: valgrind isn't installed.")
    figures = {}
    for server in servers:
        if server.needs_static_binary and not server.static_binary:
            options.say(f"instructions a request: {server.name} needs a static binary, left out")
            continue
        options.say(f"instructions a request: {server.name}")
        with tempfile.TemporaryDirectory() as folder:
            binary = without_debug_information(server.static_binary, folder)
            values = [_difference(server, binary, row, load, build, options)
                      for _ in range(_pairs(server, options))]
        figures[server.name] = {"median": median(values), "values": values}
    return figures


def _pairs(server, options):
    return PAIRS if server.is_candidate or not options.smoke else PAIRS_OF_RIVALS_IN_SMOKE


def without_debug_information(binary, folder):
    """valgrind 3.19 gives up on the DWARF that Swift 6.3 writes; the code stays the same."""
    if binary is None:
        return None
    stripped = Path(folder) / binary.name
    subprocess.run(["strip", "--strip-debug", "-o", stripped, binary], check=True)
    return stripped


def _difference(server, binary, row, load, build, options):
    few = _total(server, binary, row, load, build, options, REQUESTS_FEW)
    many = _total(server, binary, row, load, build, options, REQUESTS_MANY)
    return (many - few) / (REQUESTS_MANY - REQUESTS_FEW)


def _total(server, binary, row, load, build, options, requests):
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile"
        wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}",
                   f"--log-file={folder}/log"]
        with RunningServer(server, cpu=options.server_cpu, wrapper=wrapper, binary=binary,
                           environment=environment(server, build)) as running:
            load.run(running, row, requests=requests)
        return total(profile.read_text(), server)


def total(text, server):
    """The instructions that a profile counts, less those of the shim."""
    found = re.search(r"^totals: (\d+)", text, re.MULTILINE)
    if not found:
        raise HarnessError(f"callgrind left no total for {server.name}.")
    return int(found.group(1)) - _own_cost(text, SHIM)


def _own_cost(profile, name):
    """The instructions of one object's own functions, as the Callgrind Format Specification has them:
    `ob=(number) path` once, `ob=(number)` after; the line after `calls=` is the callee's."""
    cost, current, wanted, is_call = 0, None, None, False
    for line in profile.splitlines():
        if line.startswith(("ob=", "cob=")):
            number, _, path = line.partition("=")[2].partition(" ")
            if path.endswith(name):
                wanted = number
            if line.startswith("ob="):
                current = number
        elif line.startswith("calls="):
            is_call = True
        elif line[:1] in "0123456789+-*" and line:
            if current == wanted and wanted is not None and not is_call:
                cost += int(line.split()[1])
            is_call = False
    return cost


def environment(server, build):
    """Valgrind 3.19 runs no other thread while one waits in a ring, see yielding_enter.c. What the shim
    itself costs is taken off."""
    if not (server.is_candidate and server.uses_io_uring):
        return {}
    return {"LD_PRELOAD": str(build / SHIM),
            "URINGCORE_FEATURES_OFF": "registered_ring"}
