#!/usr/bin/env python3
"""Measures echo servers side by side and holds uringcore to its gates. See README.md."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from harness import allocations, enters, gates, idle, instructions, machine, micro, plot
from harness import report, throughput
from harness.load import Load
from harness.rows import CALLGRIND_ROW, ROWS
from harness.servers import HarnessError, all_servers

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER / ".build-c"
SECTIONS = ["throughput", "enters", "instructions", "allocations", "idle", "micro"]
SMOKE_SECTIONS = ["throughput", "instructions", "allocations"]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uringcore", type=Path, metavar="PATH", help="the uringcore program")
    parser.add_argument("--uringcore-static", type=Path, metavar="PATH",
                        help="the same linked with --static-swift-stdlib, for callgrind")
    parser.add_argument("--micro", type=Path, metavar="PATH",
                        help="the program that measures the loop's steps")
    parser.add_argument("--styles", default="callback", help="comma-separated; default callback")
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--seconds", type=positive_number, default=3.0, help="of one timed run")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--sections", default=None, help=f"of {','.join(SECTIONS)}; default all")
    parser.add_argument("--smoke", action="store_true",
                        help="one round of 2 s a row, and the gates: for every change")
    parser.add_argument("--results", type=Path, default=FOLDER / "results", metavar="FOLDER")
    parser.add_argument("--quiet", action="store_true", help="no progress lines")
    options = parser.parse_args()
    for path in (options.uringcore, options.uringcore_static, options.micro):
        if path and not path.is_file():
            parser.error(f"{path} is not a file")
    if options.smoke:
        options.rounds, options.seconds = 1, 2.0
    chosen = options.sections.split(",") if options.sections else (
        SMOKE_SECTIONS if options.smoke else SECTIONS)
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"section '{name}' isn't one of {', '.join(SECTIONS)}")
    options.sections = [name for name in SECTIONS if name in chosen]
    if options.micro is None and "micro" in options.sections:
        options.sections.remove("micro")
    options.say = silent if options.quiet else say
    return options


def positive_integer(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def positive_number(text):
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def silent(sentence):
    pass


def build_programs():
    built = subprocess.run(["make", "--silent", "-C", str(FOLDER)])
    if built.returncode != 0:
        sys.exit("The C programs could not be built; gcc, make and liburing's headers are needed.")


def section_runs(servers, load, options):
    """What each section runs. The reference is measured along everywhere; the other rivals only
    where their figure means something."""
    compared = [server for server in servers if server.is_candidate or server is servers[0]]
    return {
        "throughput": lambda: throughput.measure(servers, ROWS, load, options),
        "enters": lambda: enters.measure(compared, ROWS[0], load, options),
        "instructions": lambda: instructions.measure(servers, CALLGRIND_ROW, load, BUILD, options),
        "allocations": lambda: allocations.measure(compared, ROWS, load, BUILD, options),
        "idle": lambda: idle.measure(compared, load, options),
        "micro": lambda: micro.measure(options.micro, options),
    }


def main():
    options = parse_options()
    thresholds = json.loads((FOLDER / "thresholds.json").read_text())
    build_programs()
    machine.raise_descriptor_limit()
    servers = all_servers(BUILD, options.uringcore, options.uringcore_static,
                          options.styles.split(","))
    load = Load(BUILD, options.load_cpu)
    results = {"machine": machine.describe(), "server_cpu": options.server_cpu,
               "load_cpu": options.load_cpu, "measured": time.strftime("%Y-%m-%d")}
    failures = []
    runs = section_runs(servers, load, options)
    for name in options.sections:
        try:
            results[name] = runs[name]()
        except HarnessError as error:
            # The other sections are still worth having.
            failures.append(f"The section '{name}' could not be measured: {error}")

    candidates = [server for server in servers if server.is_candidate]
    failures += gates.failed_gates(results, thresholds, candidates, load)
    report.write(options.results, results, thresholds, servers, failures)
    if plot.write(options.results, results) is None:
        options.say("No plot was drawn: that takes matplotlib and the section 'throughput'.")
    print((options.results / "latest.md").read_text())
    for sentence in failures:
        print(f"FAILED: {sentence}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
