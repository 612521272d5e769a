"""The servers under test: one entry each, and how a server process is started and ended."""

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


def address(port):
    return ["--host", "127.0.0.1", "--port", str(port)]


def all_servers(build, uringcore, uringcore_static, styles):
    """The table. The first entry is the reference that every ratio refers to.

    A further server is one more entry: it prints `ready` as a line once it listens, echoes what
    it receives, and ends with status 0 on SIGTERM.
    """
    servers = [
        Server("c-uring", address, build / "echo_uring"),
        Server("c-epoll", address, build / "echo_epoll"),
    ]
    for style in styles if uringcore else []:
        servers.append(Server(
            f"uringcore-{style}",
            lambda port, style=style: ["echo", *address(port), "--style", style],
            uringcore,
            static_binary=uringcore_static,
            # Valgrind 3.19 crashes in the shared Swift concurrency runtime.
            needs_static_binary=True,
            environment={"URINGCORE_CORES": "0"},
            is_candidate=True,
        ))
    return servers


class RunningServer:
    """A server for the length of a `with` block: ready at its start, ended in order at its end.

    `wrapper` is put before the command (valgrind), `environment` is added to the server's.
    """

    def __init__(self, server, cpu=None, wrapper=(), environment=None, binary=None):
        self.server = server
        self.port = unused_port()
        self.command = [*map(str, wrapper), str(binary or server.binary),
                        *server.arguments(self.port)]
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

    def await_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while b"ready" not in read_all(self.output).splitlines():
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
        lines = read_all(self.errors).decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else "."


def pin(cpu):
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def read_all(file):
    # `pread` leaves the offset alone, which the server shares.
    return os.pread(file.fileno(), 1 << 20, 0)
