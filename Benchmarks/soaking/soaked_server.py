"""The server of a scenario: started with reports, watched, and drained."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from harness.servers import READY_SECONDS_MAX, HarnessError, RunningServer, Server

REPORT_SECONDS = 0.25
DRAIN_SECONDS_MAX = 30
# What else the machine does is not the server's latency. Without the right to it, it does nothing.
BEFORE_OTHERS = ("nice", "-n", "-10")
PAGE = os.sysconf("SC_PAGE_SIZE")


class SoakedServer(RunningServer):
    """`uringcore echo --report`; it is killed at the block's end unless it was drained."""

    def __init__(self, place, style, environment):
        def arguments(port):
            return ["echo", "--host", place.host, "--port", port, "--style", style,
                    "--report", REPORT_SECONDS]
        # What this program was given for itself must not tune the server.
        inherited = {name: value for name, value in os.environ.items()
                     if not name.startswith("URINGCORE_")}
        server = Server(f"uringcore-{style}", arguments, place.binary)
        super().__init__(server, cpu=place.options.server_cpu if place.pins_server else None,
                         wrapper=(*BEFORE_OTHERS, *place.server_wrapper))
        self.environment = {**inherited, **environment}
        self.host = place.host

    def __exit__(self, kind, error, trace):
        self.kill()

    def reports(self):
        """All reports so far, oldest first."""
        return [json.loads(line[len("report "):]) for line in self.lines
                if line.startswith("report ") and line.endswith("}")]

    def next_report(self):
        """The sum over the shards in the next report."""
        now, deadline = time.time(), time.monotonic() + READY_SECONDS_MAX
        while True:
            reports = self.reports()
            if reports and reports[-1]["time"] > now:
                return total(reports[-1])
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise HarnessError(f"the server reports no longer{self.last_words()}")
            time.sleep(REPORT_SECONDS / 5)

    def settle(self, connections, seconds_max):
        """Waits until so many connections are open and nothing else is held; returns the last
        report, whether or not it came to that."""
        deadline = time.monotonic() + seconds_max
        while True:
            report = self.next_report()
            is_settled = (report["openConnections"] == connections
                          and self.connections_of_table(report) == connections)
            if is_settled or time.monotonic() > deadline:
                return report

    def connections_of_table(self, report):
        """Descriptors of connections that are open or still being closed."""
        return report["descriptors"] - self.descriptors_without_connections

    def learn_baseline(self):
        """Takes a report without any connection."""
        self.baseline = self.next_report()
        self.descriptors_without_connections = self.baseline["descriptors"]
        return self.baseline

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self):
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE

    def shards(self):
        return sum(": listening on " in line for line in self.lines)

    def drain(self):
        """Ends it with SIGTERM; returns its status, or None when it doesn't end, and the time."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(DRAIN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            status = None
        return status, time.monotonic() - begin

    def log(self):
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode(errors="replace").splitlines()


def total(report):
    """A report's numbers, summed over the shards."""
    sums = {"time": report["time"]}
    for shard in report["shards"]:
        for name, value in shard.items():
            sums[name] = sums.get(name, 0) + value
    return sums
