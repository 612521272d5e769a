"""The client programs of a scenario: started on their CPU, awaited, and ended with the scenario."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness.servers import HarnessError, pin

PEERS = Path(__file__).resolve().parent / "peers"
SECONDS_MAX = 300  # For what a client does, besides the time that it is told to take.


class Clients:
    """Starts programs in a place; none outlives the `with` block. Adds up what they report."""

    def __init__(self, place, server, load_binary):
        self.place = place
        self.address = [place.host, str(server.port)]
        self.server_pid = server.pid
        self.load_binary = load_binary
        self.started = []
        self.totals = {"connections": 0, "bytes": 0, "wrong_bytes": 0, "lost": 0}
        self.first_loss = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()

    def start(self, name, **options):
        """A program of the folder peers; an option that is True is given without a value."""
        return self.launch([sys.executable, str(PEERS / f"{name}.py"), *self.address], options)

    def run(self, name, **options):
        """The same to its end; returns its report."""
        return self.finish(self.start(name, **options))

    def load(self, connections, bytes, seconds, pipeline=1):
        """The load generator of the benchmarks: as many requests as there can be."""
        process = self.launch(
            [str(self.load_binary), *self.address, "--json"],
            {"connections": connections, "bytes": bytes, "pipeline": pipeline,
             "seconds": seconds})
        report = self.finish(process, accepted=(0, 1))
        self.book({"connections": connections, "bytes": report["requests"] * bytes,
                   "wrong_bytes": report["wrong_bytes"], "lost": report["lost_connections"]})
        return report

    def launch(self, command, options):
        for name, value in options.items():
            command.append("--" + name.replace("_", "-"))
            if value is not True:
                command.append(str(value))
        process = subprocess.Popen(
            [*self.place.client_wrapper, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: pin(self.place.options.load_cpu))
        self.started.append(process)
        return process

    def finish(self, process, accepted=(0,)):
        """Waits for the end; returns the last line, decoded, and books it."""
        try:
            output, errors = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"a client did not end in {SECONDS_MAX} s: "
                               f"{process.args}.") from None
        if process.returncode not in accepted:
            words = errors.strip().splitlines() or ["no reason given"]
            raise HarnessError(f"a client failed: {words[-1]}")
        report = json.loads(output.splitlines()[-1])
        if "lost" in report:
            self.book(report)
        return report

    def book(self, report):
        for name in self.totals:
            self.totals[name] += report[name]
        self.first_loss = self.first_loss or report.get("first_loss")

    def kill_when_flowing(self, process):
        """SIGKILL in the middle of its transfers; returns when it is gone."""
        if process.stdout.readline() != "flowing\n":
            raise HarnessError("a client's connections did not come to flow.")
        process.kill()
        process.wait()


class PingPong:
    """A steady ping-pong beside the load; its latencies come in while it runs."""

    def __init__(self, clients):
        self.clients = clients
        self.process = clients.start("pingpong", server_pid=clients.server_pid)
        # The time, and of each message since the report before its latency and cost, in µs.
        self.reports = []
        self.ledger = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            report = json.loads(line)
            if "latencies" in report:
                self.reports.append((report["time"], report["latencies"], report["costs"]))
            else:
                self.ledger = report

    def finish(self):
        self.process.stdin.close()
        self.reader.join(SECONDS_MAX)
        if self.ledger is None:
            raise HarnessError("the ping-pong did not end in order.")
        self.process.wait()
        self.clients.book(self.ledger)

    def between(self, begin, end):
        """The latencies in a span of time, less its first quarter of a second."""
        return [one for moment, latencies, _ in self.reports if begin + 0.25 <= moment <= end
                for one in latencies]

    def costs_between(self, begin, end):
        """What CPU time the server spent within each message and its echo, likewise."""
        return [one for moment, _, costs in self.reports if begin + 0.25 <= moment <= end
                for one in costs]
