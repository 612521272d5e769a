"""Messages between two loops on two CPUs: uringcore's shards, SwiftNIO's event loops, two bare threads in C.

Wall time, the median of 31 batches a run and of all rounds; the programs run in turn.
"""

import json
import subprocess
from statistics import median

from harness.servers import HarnessError

SLEEP_ROUNDS, SPIN_ROUNDS = 200, 2_000


def measure(programs, build, options):
    """Returns {name: {figure: nanoseconds}}; `programs` maps names to paths."""
    runs = {name: [] for name in [*programs, "c-eventfd"]}
    for round_ in range(options.rounds):
        options.say(f"messages between loops, round {round_ + 1} of {options.rounds}")
        for name, program in programs.items():
            runs[name].append(json.loads(_output([program])))
        runs["c-eventfd"].append(_ping_pong(build / "pingpong", options))
    return {name: {figure: median(run[figure] for run in rounds) for figure in rounds[0]}
            for name, rounds in runs.items()}


def _ping_pong(program, options):
    cpus = [str(options.server_cpu), str(options.load_cpu)]
    return {"round_trip_parked_ns": float(_output([program, *cpus, "sleep", str(SLEEP_ROUNDS)])),
            "round_trip_awake_ns": float(_output([program, *cpus, "spin", str(SPIN_ROUNDS)]))}


def _output(command):
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                           timeout=300)
    if ended.returncode != 0:
        raise HarnessError(f"{command[0]} ended with status {ended.returncode}: {ended.stderr}")
    return ended.stdout.strip().splitlines()[-1]
