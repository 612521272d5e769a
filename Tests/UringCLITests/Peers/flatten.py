"""Runs a command and prints the JSON that it writes, flat.

    flatten.py COMMAND...

Each value is a line such as `cores.cpus.0 1` or `pinning.isOn true`; an empty list or object is a
line with `[]` or `{}`. What is not JSON to the letter, or has a name twice, ends it with status 1,
and a command that fails with the command's status.
"""

import json
import subprocess
import sys


def once(members):
    names = [name for name, _ in members]
    if len(names) != len(set(names)):
        sys.exit(f"flatten.py: a name comes twice in {names}")
    return dict(members)


def refuse(constant):
    sys.exit(f"flatten.py: {constant} is not JSON")


def flatten(value, path):
    if isinstance(value, dict) and value:
        for name, member in value.items():
            flatten(member, path + [name])
    elif isinstance(value, list) and value:
        for place, element in enumerate(value):
            flatten(element, path + [str(place)])
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        print(".".join(path), text.replace("\n", "\\n"))


run = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
if run.returncode != 0:
    sys.exit(run.returncode)
flatten(json.loads(run.stdout.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse), [])
