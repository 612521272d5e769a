"""Runs of the load generator, and the ledger of what came back wrong in any of them."""

import json
import subprocess
import time
from contextlib import contextmanager

from harness.servers import HarnessError, pin

SECONDS_MAX = 300


class Load:
    """Starts the load generator; remembers wrong bytes and lost connections by server."""

    def __init__(self, build, cpu):
        self.binary = str(build / "load")
        self.cpu = cpu
        self.wrong_bytes = {}
        self.lost_connections = {}

    def run(self, running, row, **options):
        """One run against a running server; returns the generator's report as a dictionary.

        Options are those of the command line: seconds=3, warmup_seconds=0.5, requests=2000, ...
        """
        process = self._start(running, row, options)
        return self._finish(process, running)

    def run_together(self, places, row, seconds, begin_seconds):
        """Several generators whose windows are one and the same; returns their reports.

        `places` are pairs of a running server and the generator's CPU. The window begins
        `begin_seconds` from now: until then the connections open and warm up.
        """
        begin = time.monotonic_ns() + int(begin_seconds * 1e9)
        started = []
        try:
            for running, cpu in places:
                options = {"seconds": seconds, "begin_at": begin, "server_pid": running.pid}
                started.append((self._start(running, row, options, cpu), running))
            return [self._finish(process, running) for process, running in started]
        except BaseException:
            for process, _ in started:
                process.kill()
                process.wait()
            raise

    @contextmanager
    def idle(self, running, row, seconds):
        """Connections that are open and silent for as long as the block lasts."""
        process = self._start(running, row, {"idle_seconds": seconds})
        try:
            if process.stdout.readline() != "idle\n":
                self._finish(process, running)
                raise HarnessError(f"the connections to {running.server.name} did not open.")
            yield
            if process.poll() is not None:
                raise HarnessError("the idle load ended before the measurement did.")
        except BaseException:
            process.kill()
            process.wait()
            raise
        self._finish(process, running)

    def _start(self, running, row, options, cpu=None):
        command = [self.binary, "127.0.0.1", str(running.port), "--json",
                   "--connections", str(row.connections), "--bytes", str(row.bytes),
                   "--pipeline", str(row.pipeline)]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, preexec_fn=lambda: pin(self.cpu if cpu is None else cpu))

    def _finish(self, process, running):
        name = running.server.name
        try:
            output, errors = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise HarnessError(f"the load on {name} did not end within {SECONDS_MAX} s.") from None
        if process.returncode not in (0, 1):
            raise HarnessError(f"the load on {name} failed: {errors.strip()}")
        report = json.loads(output.splitlines()[-1])
        for ledger, key in ((self.wrong_bytes, "wrong_bytes"),
                            (self.lost_connections, "lost_connections")):
            ledger[name] = ledger.get(name, 0) + report[key]
        return report
