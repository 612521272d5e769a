#!/usr/bin/env python3
"""Soaks an echo server: much of everything, and at the end nothing may be left behind.

Each scenario of soaking/scenarios.py starts a server of its own. See docs/TESTING.md.
"""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from harness import machine
from harness.servers import HarnessError
from soaking import pictures, report
from soaking.course import Course
from soaking.places import LeftOut
from soaking.scenarios import SCENARIOS

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER / ".build-c"
PYTHON_PACKAGES = FOLDER.parent / ".build-python"  # Where scripts/setup puts matplotlib.
NAMES = [scenario.name for scenario in SCENARIOS]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uringcore", type=Path, metavar="PATH", required=True,
                        help="the uringcore program")
    parser.add_argument("--only", metavar="NAME", default="",
                        help=f"of {', '.join(NAMES)}; several with commas")
    parser.add_argument("--scale", type=scale, default=1.0,
                        help="of the load: 1 takes about 10 minutes, 0.1 about 3")
    parser.add_argument("--styles", default="callback,async")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--results", type=Path, metavar="FOLDER",
                        help="default results for a whole run, else .build-smoke")
    options = parser.parse_args()
    if not options.uringcore.is_file():
        parser.error(f"{options.uringcore} is not a file")
    options.chosen = options.only.split(",") if options.only else NAMES
    options.styles = options.styles.split(",")
    for name in options.chosen:
        if name not in NAMES:
            parser.error(f"scenario '{name}' isn't one of {', '.join(NAMES)}")
    for style in options.styles:
        if style not in ("callback", "async"):
            parser.error(f"style '{style}' isn't one of callback, async")
    is_whole = options.scale == 1 and not options.only
    # What is committed is a whole run; a part of one must not take its place.
    options.results = options.results or FOLDER / ("results" if is_whole else ".build-smoke")
    options.load_binary = BUILD / "load"
    return options


def scale(text):
    value = float(text)
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError("must be above 0, at most 10")
    return value


def build_load():
    if subprocess.run(["make", "--silent", "-C", str(FOLDER), ".build-c/load"]).returncode != 0:
        sys.exit("The load generator could not be built; gcc and make are needed.")


def run_all(options):
    """Returns the results, the scenarios left out with the reasons, and the failures."""
    results, left_out, failures = [], {}, []
    for scenario in SCENARIOS:
        if scenario.name not in options.chosen:
            continue
        runs = []
        for style in [one for one in scenario.styles if one in options.styles]:
            say(f"{scenario.name}, {style}")
            try:
                runs.append(Course(scenario, style, options).run())
            except LeftOut as reason:
                left_out[scenario.name] = str(reason)
                break
            except HarnessError as error:
                failures.append(f"{scenario.name}, {style}, could not be run to its end: {error}")
                continue
            failures += judge(scenario, runs[-1])
        if not any(style in options.styles for style in scenario.styles):
            left_out[scenario.name] = f"it runs in style {scenario.styles[0]} only."
        if runs:
            results.append((scenario, runs))
    return results, left_out, failures


def judge(scenario, run):
    """Says what was missed, and returns a sentence for each that fails the soak."""
    for figure in run.figures:
        if figure.target and not figure.is_met:
            say(f"  {figure.name}: {figure.measured}, target {figure.target}")
        elif figure.name == "the first of them":
            say(f"  {figure.measured}")
    return [f"{scenario.name}, {run.style}: {figure.name} {figure.measured}, "
            f"target {figure.target}" for figure in run.figures if figure.fails]


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def end_in_order(number, frame):
    """What was made for a scenario is removed on the way out."""
    sys.exit(f"ended by {signal.Signals(number).name}")


def main():
    options = parse_options()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end_in_order)
    build_load()
    machine.raise_descriptor_limit()
    begin = time.monotonic()
    results, left_out, failures = run_all(options)
    sys.path.append(str(PYTHON_PACKAGES))
    drawn = pictures.draw(options.results, results)
    if not drawn:
        say("No picture was drawn: that takes matplotlib.")
    context = SimpleNamespace(
        machine=machine.describe(), scale=options.scale, server_cpu=options.server_cpu,
        load_cpu=options.load_cpu, date=time.strftime("%Y-%m-%d"), pictures=drawn,
        minutes=(time.monotonic() - begin) / 60)
    report.write(options.results, results, left_out, failures, context)
    print((options.results / report.NAME).read_text())
    for sentence in failures:
        print(f"FAILED: {sentence}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
