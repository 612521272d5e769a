"""Steps of the async face, and of scheduling on one loop: uringcore's, SwiftNIO's, and of scheduling Python's.

Wall time, each program the median of its batches and of all rounds; the programs run in turn, on the
server's CPU alone where one loop is enough.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from harness.servers import HarnessError

RIVAL = Path(__file__).resolve().parent.parent / "Rivals" / "scheduling.py"
SMOKE_BATCHES, BATCHES = 3, 31


def face(programs, options):
    """`programs` maps names to paths. Two CPUs: one step goes to another loop and back."""
    return _measure("face", {name: [program, "face"] for name, program in programs.items()},
                    {}, options)


def scheduling(programs, options):
    commands = {name: [program, "scheduling"] for name, program in programs.items()}
    left_out = {}
    for loop in ("asyncio", "uvloop"):
        command = [sys.executable, RIVAL, loop]
        if loop == "uvloop" and not _has_uvloop(options):
            left_out[loop] = "it is not installed; `scripts/setup bench` gets it where it can be had."
            continue
        commands[loop] = command
    pin = ["taskset", "-c", str(options.server_cpu)]
    return _measure("scheduling", {name: pin + words for name, words in commands.items()},
                    left_out, options)


def _measure(what, commands, left_out, options):
    batches = SMOKE_BATCHES if options.smoke else BATCHES
    runs = {name: [] for name in commands}
    for round_ in range(options.rounds):
        options.say(f"{what}, round {round_ + 1} of {options.rounds}")
        for name, words in commands.items():
            runs[name].append(json.loads(_output([*words, batches], options)))
    figures = {name: {figure: median(run[figure] for run in rounds) for figure in rounds[0]}
               for name, rounds in runs.items()}
    return {"figures": figures, "left_out": left_out}


def _environment(options):
    paths = [str(options.python_packages), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _has_uvloop(options):
    probe = subprocess.run([sys.executable, "-c", "import uvloop"], capture_output=True,
                           env=_environment(options))
    return probe.returncode == 0


def _output(command, options):
    words = [str(word) for word in command]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300,
                           env=_environment(options))
    if ended.returncode != 0:
        raise HarnessError(f"{' '.join(words)} ended with status {ended.returncode}: {ended.stderr}")
    return ended.stdout.strip().splitlines()[-1]
