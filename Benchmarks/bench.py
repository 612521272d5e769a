#!/usr/bin/env python3
"""Measures echo servers side by side and holds uringcore to its gates. See README.md."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from harness import allocations, datagrams, enters, face, files, gates, idle, instructions
from harness import machine, messaging, micro
from harness import plots
from harness import report, shards, throughput
from harness.entrants import all_servers, those_that_run
from harness.load import Load
from harness.rows import CALLGRIND_ROW, ROWS
from harness.servers import HarnessError

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER / ".build-c"
PYTHON_PACKAGES = FOLDER.parent / ".build-python"  # Where scripts/setup puts uvloop and matplotlib.
SECTIONS = ["throughput", "shards", "instructions", "allocations", "enters", "idle", "micro",
            "messaging", "face", "scheduling", "udp", "files"]
SMOKE_SECTIONS = ["throughput", "instructions", "allocations"]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uringcore", type=Path, metavar="PATH", help="the uringcore program")
    parser.add_argument("--uringcore-static", type=Path, metavar="PATH",
                        help="the same linked with --static-swift-stdlib, for callgrind; for "
                             "everything when --uringcore isn't given")
    parser.add_argument("--nio", type=Path, metavar="PATH", help="the SwiftNIO echo")
    parser.add_argument("--nio-static", type=Path, metavar="PATH",
                        help="the same linked with --static-swift-stdlib, likewise")
    parser.add_argument("--micro", type=Path, metavar="PATH",
                        help="the program that measures the loop's steps")
    parser.add_argument("--messaging", type=Path, metavar="PATH",
                        help="the program that measures messages between shards")
    parser.add_argument("--nio-messaging", type=Path, metavar="PATH", help="SwiftNIO's likewise")
    parser.add_argument("--face", type=Path, metavar="PATH",
                        help="the program that measures the async face and scheduling")
    parser.add_argument("--nio-face", type=Path, metavar="PATH", help="SwiftNIO's likewise")
    parser.add_argument("--datagrams", type=Path, metavar="PATH",
                        help="the static program that serves datagrams")
    parser.add_argument("--nio-datagrams", type=Path, metavar="PATH", help="SwiftNIO's likewise")
    parser.add_argument("--files", type=Path, metavar="PATH", help="the program that reads a file")
    parser.add_argument("--nio-files", type=Path, metavar="PATH", help="SwiftNIO's likewise")
    parser.add_argument("--styles", default="callback,async",
                        help="of uringcore, comma-separated; default callback,async")
    parser.add_argument("--rounds", type=positive_integer, default=5)
    parser.add_argument("--seconds", type=positive_number, default=3.0, help="of one timed run")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--sections", default=None, help=f"of {','.join(SECTIONS)}; default all")
    parser.add_argument("--smoke", action="store_true",
                        help="one round of 1 s a row, and the gates: for every change")
    parser.add_argument("--results", type=Path, metavar="FOLDER",
                        help="default results, of a smoke run .build-smoke, both beside bench.py")
    parser.add_argument("--quiet", action="store_true", help="no progress lines")
    options = parser.parse_args()
    for path in (options.uringcore, options.uringcore_static, options.nio, options.nio_static,
                 options.micro, options.messaging, options.nio_messaging, options.face,
                 options.nio_face, options.datagrams, options.nio_datagrams, options.files,
                 options.nio_files):
        if path and not path.is_file():
            parser.error(f"{path} is not a file")
    if options.smoke:
        options.rounds, options.seconds = 1, 1.0
    # What is committed is a whole run; a smoke run must not take its place.
    options.results = options.results or FOLDER / (".build-smoke" if options.smoke else "results")
    options.python_packages = PYTHON_PACKAGES
    chosen = options.sections.split(",") if options.sections else (
        SMOKE_SECTIONS if options.smoke else SECTIONS)
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"section '{name}' isn't one of {', '.join(SECTIONS)}")
    options.sections = [name for name in SECTIONS if name in chosen]
    if options.micro is None and "micro" in options.sections:
        options.sections.remove("micro")
    if options.messaging is None and "messaging" in options.sections:
        options.sections.remove("messaging")
    if options.face is None:
        options.sections = [name for name in options.sections if name not in ("face", "scheduling")]
    if options.datagrams is None and "udp" in options.sections:
        options.sections.remove("udp")
    if options.files is None and "files" in options.sections:
        options.sections.remove("files")
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
    """What each section runs. A smoke run counts allocations only where a gate may look."""
    candidates = [server for server in servers if server.is_candidate]
    on_uring = [server for server in servers if server.uses_io_uring]
    counted = [server for server in servers if server.counts_allocations]
    gated = [server for server in counted if server.is_candidate or server is servers[0]]
    return {
        "throughput": lambda: throughput.measure(servers, ROWS, load, options),
        "shards": lambda: shards.measure(candidates, load, options),
        "instructions": lambda: instructions.measure(servers, CALLGRIND_ROW, load, BUILD, options),
        "allocations": lambda: allocations.measure(gated if options.smoke else counted, ROWS,
                                                   load, BUILD, options),
        "enters": lambda: enters.measure(on_uring, ROWS[0], load, options),
        "idle": lambda: idle.measure(servers, load, options),
        "micro": lambda: micro.measure(options.micro, options),
        "udp": lambda: datagrams.measure(BUILD, options),
        "messaging": lambda: messaging.measure(messengers(options), BUILD, options),
        "face": lambda: face.face(faces(options), options),
        "scheduling": lambda: face.scheduling(faces(options), options),
        "files": lambda: files.measure(options.files, options.nio_files, BUILD, options),
    }


def faces(options):
    programs = {"uringcore": options.face, "nio": options.nio_face}
    return {name: program for name, program in programs.items() if program}


def messengers(options):
    programs = {"uringcore": options.messaging, "nio": options.nio_messaging}
    return {name: program for name, program in programs.items() if program}


def choose_servers(load, options):
    """Returns those that can be measured, why the others can't, and a failure for each of these
    that has gates: a gate nobody looks at is none."""
    table = all_servers(BUILD, options)
    servers, left_out = those_that_run(table, load, options)
    if table[0] not in servers:
        sys.exit(f"Without the reference there is nothing to compare with: "
                 f"{left_out[table[0].name]}")
    failures = [left_out[server.name] for server in table
                if server.is_candidate and server.name in left_out]
    if not options.nio and not options.nio_static:
        left_out["nio-channel, nio-async"] = "neither --nio nor --nio-static was given."
    return servers, left_out, failures


def main():
    options = parse_options()
    thresholds = json.loads((FOLDER / "thresholds.json").read_text())
    build_programs()
    machine.raise_descriptor_limit()
    load = Load(BUILD, options.load_cpu)
    servers, left_out, failures = choose_servers(load, options)
    results = {"machine": machine.describe(), "server_cpu": options.server_cpu,
               "load_cpu": options.load_cpu, "measured": time.strftime("%Y-%m-%d"),
               "left_out": left_out}
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
    sys.path.append(str(PYTHON_PACKAGES))
    if not plots.write(options.results, results):
        options.say("No plot was drawn: that takes matplotlib and one of the sections "
                    "'throughput' and 'instructions'.")
    print((options.results / "latest.md").read_text())
    for sentence in failures:
        print(f"FAILED: {sentence}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
