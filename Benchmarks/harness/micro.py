"""The steps of the loop, each in nanoseconds of its thread's CPU time: what the program prints is the figure."""

import re
import subprocess

from harness.servers import HarnessError


def measure(program, options):
    """Returns [{name, nanoseconds, target}]; the program itself takes the least of many rounds."""
    options.say("steps of the loop")
    command = ["taskset", "-c", str(options.server_cpu), str(program)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if ended.returncode != 0:
        raise HarnessError(f"{program.name} ended with status {ended.returncode}.")
    rows = re.findall(r"^\| (.+?) +\| ([\d.]+) \| (\d+) \|", ended.stdout, re.MULTILINE)
    if not rows:
        raise HarnessError(f"{program.name} printed no figures.")
    return [{"name": name, "nanoseconds": float(value), "target": float(target)}
            for name, value, target in rows]
