"""A server under test, and how its process is started and ended."""

import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from harness.ports import unused_port

READY_SECONDS_MAX = 60  # Under valgrind a start takes seconds.
END_SECONDS_MAX = 20


class HarnessError(Exception):
    """A measurement that could not take place; the text is a sentence for the reader."""


@dataclass(frozen=True)
class Server:
    name: str
    arguments: Callable[[int], list]  # Of the command, for a port.
    binary: Path
    static_binary: Optional[Path] = None  # For callgrind; None when `binary` serves there too.
    needs_static_binary: bool = False
    environment: dict = field(default_factory=dict)
    is_candidate: bool = False  # Candidates have targets and gates; the others are measured.
    uses_io_uring: bool = False
    counts_allocations: bool = True
    rival: Optional[str] = None  # Whom a candidate is compared with besides the reference.


class RunningServer:
    """A server for the length of a `with` block: ready at its start, ended in order at its end.

    `cpu` is one CPU or a set of them, `wrapper` is put before the command (valgrind),
    `environment` is added to the server's.
    """

    def __init__(self, server, cpu=None, wrapper=(), environment=None, binary=None):
        self.server = server
        self.port = unused_port()
        self.command = [*map(str, wrapper), str(binary or server.binary),
                        *map(str, server.arguments(self.port))]
        self.environment = {**os.environ, **server.environment, **(environment or {})}
        self.cpu = cpu

    def __enter__(self):
        # Files instead of pipes: a server that talks a lot can't block on a full one.
        self.output = tempfile.TemporaryFile()
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.errors,
                env=self.environment, preexec_fn=lambda: pin(self.cpu))
        except OSError as error:
            raise HarnessError(f"{self.server.name} could not be started: {error}.") from error
        try:
            self.await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.kill()
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise HarnessError(f"{self.server.name} did not end within {END_SECONDS_MAX} s of "
                               "SIGTERM.") from None
        if status != 0:
            raise HarnessError(f"{self.server.name} ended with status {status} instead of 0"
                               f"{self.last_words()}")

    @property
    def pid(self):
        return self.process.pid

    @property
    def lines(self):
        """What it has printed so far."""
        return read_all(self.output).decode(errors="replace").splitlines()

    def await_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while "ready" not in self.lines:
            if self.process.poll() is not None:
                raise HarnessError(f"{self.server.name} ended with status "
                                   f"{self.process.returncode} before it was ready"
                                   f"{self.last_words()}")
            if time.monotonic() > deadline:
                raise HarnessError(f"{self.server.name} was not ready within "
                                   f"{READY_SECONDS_MAX} s.")
            time.sleep(0.005)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def last_words(self):
        """What it complained of: a line that begins with "Error", else the last."""
        lines = read_all(self.errors).decode(errors="replace").strip().splitlines()
        named = [line for line in lines if line.startswith("Error")]
        return f": {(named or lines)[-1].strip()}" if lines else "."


def pin(cpu):
    """Binds this process to one CPU or to a set of them; None leaves it free."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu} if isinstance(cpu, int) else cpu)


def read_all(file):
    # `pread` leaves the offset alone, which the server shares.
    return os.pread(file.fileno(), 1 << 20, 0)
