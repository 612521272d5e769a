"""Counts io_uring_enter calls of a process between two moments.

`perf stat` on the tracepoint costs the server next to nothing and doesn't disturb a blocked call.
Where perf or the tracepoints are missing (they need root), `strace -c` counts the same, but stops
the server at every call. A slower server takes more requests a call (0.03 calls a request under
strace where perf saw 0.06 to 0.56), so figures of the two tools don't compare.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from harness.servers import HarnessError

EVENT = "syscalls:sys_enter_io_uring_enter"
ANSWER_SECONDS_MAX = 10


def counting_tool():
    """"perf", "strace" or None: what can count here."""
    if shutil.which("perf"):
        trial = subprocess.run(["perf", "stat", "-x,", "-e", EVENT, "true"],
                               capture_output=True, text=True)
        if trial.returncode == 0 and re.search(r"^\d+,,", trial.stderr, re.MULTILINE):
            return "perf"
    return "strace" if shutil.which("strace") else None


def enter_counter(pid):
    """A context manager; its `count` is known after the block."""
    tool = counting_tool()
    if tool is None:
        raise HarnessError("io_uring_enter can't be counted: neither perf nor strace works here.")
    return PerfCounter(pid) if tool == "perf" else StraceCounter(pid)


class PerfCounter:
    def __init__(self, pid):
        self.pid = pid
        self.count = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        self.result = folder / "result"
        control, answers = folder / "control", folder / "answers"
        os.mkfifo(control)
        os.mkfifo(answers)
        # Opened for both directions, as opening one end alone would wait for the other.
        self.control = open(os.open(control, os.O_RDWR), "w", buffering=1)
        self.answers = open(os.open(answers, os.O_RDWR), "rb", buffering=0)
        # -D -1: attached, but counting only between `enable` and `disable`.
        self.process = subprocess.Popen(
            ["perf", "stat", "-x,", "-e", EVENT, "-D", "-1", "-p", str(self.pid),
             "-o", str(self.result), "--control", f"fifo:{control},{answers}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.tell("enable")
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.tell("disable")
            stop(self.process)
            if kind is None:
                self.count = self.read_count()
        finally:
            self.control.close()
            self.answers.close()
            self.folder.cleanup()

    def tell(self, command):
        # A perf that died never answers; the timer ends the wait by answering in its place.
        timer = threading.Timer(ANSWER_SECONDS_MAX, self.answer_late)
        timer.start()
        self.control.write(command + "\n")
        answer = self.answers.read(16)
        timer.cancel()
        if not answer.startswith(b"ack"):
            stop(self.process)
            raise HarnessError(f"perf did not answer '{command}' in {ANSWER_SECONDS_MAX} s.")

    def answer_late(self):
        os.write(self.answers.fileno(), b"late")

    def read_count(self):
        text = self.result.read_text()
        # perf's words for a process that was never scheduled between the two moments.
        if re.search(r"^<not counted>,,", text, re.MULTILINE):
            return 0
        found = re.search(r"^(\d+),,", text, re.MULTILINE)
        if not found:
            raise HarnessError(f"perf counted nothing: {text.strip()}")
        return int(found.group(1))


class StraceCounter:
    def __init__(self, pid):
        self.pid = pid
        self.count = None

    def __enter__(self):
        self.result = tempfile.NamedTemporaryFile(mode="r")
        self.process = subprocess.Popen(
            ["strace", "-f", "-c", "-e", "trace=io_uring_enter", "-o", self.result.name,
             "-p", str(self.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if "attached" not in self.process.stderr.readline():
            stop(self.process)
            raise HarnessError("strace could not attach to the server.")
        return self

    def __exit__(self, kind, error, trace):
        stop(self.process)
        self.process.stderr.close()
        found = re.search(r"^\s*\S+\s+\S+\s+\S+\s+(\d+).*io_uring_enter$", self.result.read(),
                          re.MULTILINE)
        self.count = int(found.group(1)) if found else 0
        self.result.close()


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(ANSWER_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
