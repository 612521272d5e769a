"""Runs a command that nobody listens to any more, as after a `tee` that took the same Ctrl-C.

    deaf.py LINE COMMAND...

Output and errors of the command are one pipe. What comes is passed on; after LINE, or from the start
when LINE is empty, the pipe has no reader. SIGTERM and SIGINT are passed on to the command, whose end
is the program's own.
"""

import os
import signal
import subprocess
import sys

LINE, COMMAND = sys.argv[1], sys.argv[2:]

# Python ignores the signal, and a child would inherit that.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
reader, writer = os.pipe()
if not LINE:
    os.close(reader)
command = subprocess.Popen(COMMAND, stdout=writer, stderr=writer)
os.close(writer)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: command.send_signal(number))

if LINE:
    with open(reader, encoding="utf-8") as output:
        for line in output:
            if line.rstrip("\n") == LINE:
                break
            print(line, end="", flush=True)
    print(LINE, flush=True)

status = command.wait()
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
