"""What every scenario goes through.

The server starts, is warmed by a few connections, and its baseline is taken without any. A
steady ping-pong begins. Then the load runs twice, and each time everything must come back: what
the second pass leaves behind that the first didn't is a leak. In the end no client is left: all
figures must be at the baseline, the server must still serve, and then drain.
"""

import threading
import time
from dataclasses import dataclass, field

from harness.servers import HarnessError
from soaking import figures as figure
from soaking.clients import Clients, PingPong
from soaking.soaked_server import SoakedServer, total

PASSES = 2
QUIET_SECONDS = 3     # Before and after the load of a whole run: the ping-pong alone.
SETTLE_SECONDS_MAX = 30
MIB = 1 << 20

# The figures that the overview shows.
POOL = "pool buffers not given back"
GROWTH = "RSS after the second pass more than after the first"
LATENCY = "ping-pong beside it, p99"
COST = "server's CPU time within one ping, p99"


@dataclass
class Result:
    """One style's run through one scenario."""

    style: str
    load: str = ""
    figures: list = field(default_factory=list)
    samples: list = field(default_factory=list)  # (moment, descriptors, resident bytes)
    reports: list = field(default_factory=list)  # Sums over the shards, with their time.
    pings: list = field(default_factory=list)    # (moment, latencies, costs), in µs
    begin: float = 0
    passes: list = field(default_factory=list)   # (begin, end) in seconds of Unix time


class Sampler:
    """Looks at the server's descriptors and memory once a second, in a thread of its own."""

    def __init__(self, server):
        self.server = server
        self.samples = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.is_over.set()
        self.thread.join()

    def _sample(self):
        while True:
            try:
                self.samples.append((time.time(), self.server.descriptors(),
                                     self.server.resident_bytes()))
            except FileNotFoundError:
                return  # The server is gone; others say so.
            if self.is_over.wait(1):
                return


class Course:
    """One scenario in one style; a scenario's load gets it as its argument."""

    def __init__(self, scenario, style, options):
        self.scenario = scenario
        self.options = options
        self.result = Result(style)
        self.resident_after = []
        self.notes = {}      # What a load wants to remember for its figures.
        self.number = 0      # Of the pass.

    def scaled(self, amount, least=1):
        """An amount of a whole run's load, for this run and this pass."""
        return max(least, round(amount * self.options.scale / PASSES))

    def seconds(self, amount, least=1.0):
        return max(least, amount * self.options.scale / PASSES)

    def run(self):
        scenario, result = self.scenario, self.result
        result.begin = time.time()
        with scenario.place(self.options) as self.place:
            with SoakedServer(self.place, result.style, scenario.environment) as self.server:
                with Clients(self.place, self.server, self.options.load_binary) as self.clients:
                    self.warm_up()
                    with Sampler(self.server) as sampler:
                        self.soak()
                    result.samples = sampler.samples
                    self.close()
        return result

    def warm_up(self):
        """Descriptors and memory that only the first connections cost are in the baseline."""
        self.clients.run("transfer", bytes=1 << 20, connections=8)
        self.clients.totals.update(connections=0, bytes=0)
        self.server.next_report()
        time.sleep(1)  # A lingering close may still hold a descriptor.
        self.baseline = self.server.learn_baseline()
        self.descriptors = self.server.descriptors()
        self.resident = self.server.resident_bytes()

    def soak(self):
        self.pings = PingPong(self.clients)
        quiet_seconds = max(1, min(1, self.options.scale) * QUIET_SECONDS)
        time.sleep(quiet_seconds)
        for self.number in range(PASSES):
            begin = time.time()
            self.scenario.load(self)
            self.result.passes.append((begin, time.time()))
            self.server.settle(1, SETTLE_SECONDS_MAX)
            self.resident_after.append(self.server.resident_bytes())
        time.sleep(quiet_seconds)
        self.pings.finish()
        self.last = self.server.settle(0, SETTLE_SECONDS_MAX)
        self.descriptors_after = self.server.descriptors()
        time.sleep(1)

    def close(self):
        """Still serves, then drains; the figures are taken together."""
        self.result.load = self.scenario.describe(self)
        serves = self.serves()
        reports = self.server.reports()
        place_figures = self.place.figures(self.server)
        status, drain_seconds = self.server.drain()
        result = self.result
        result.reports = [total(report) for report in reports]
        result.pings = self.pings.reports
        result.figures = [*self.returned(), *self.left_behind(), *self.memory(),
                          *place_figures, *self.scenario.figures(self),
                          figure.equal("still serves", serves, True),
                          figure.equal("errors in its log", self.errors()),
                          figure.equal("status of the drain", status),
                          figure.told("drain", f"{drain_seconds:.2f} s"), *self.latency()]

    def serves(self):
        before = dict(self.clients.totals)
        try:
            self.clients.run("transfer", bytes=200_000, connections=4)
        except HarnessError:
            return False
        lost = self.clients.totals["lost"] - before["lost"]
        self.clients.totals["lost"] -= lost
        self.server.settle(0, SETTLE_SECONDS_MAX)
        return lost == 0

    def returned(self):
        totals = self.clients.totals
        return [figure.told("connections", totals["connections"]),
                figure.told("bytes checked", f"{totals['bytes'] / 1e6:,.1f} MB"),
                figure.equal("wrong bytes", totals["wrong_bytes"]),
                figure.equal("lost connections", totals["lost"]),
                *([figure.told("the first of them", self.clients.first_loss)]
                  if totals["lost"] else [])]

    def left_behind(self):
        last = self.last
        return [
            figure.equal("descriptors more than before", self.descriptors_after - self.descriptors),
            figure.equal("operations more than before",
                         last["operationsInFlight"] - self.baseline["operationsInFlight"]),
            figure.equal("open connections", last["openConnections"]),
            figure.equal(POOL, last["buffersLent"]),
            figure.equal("stale completions", last["staleCompletions"]),
            figure.told("starvations", last["starvations"]),
            figure.told("copied receives", last["copiedReceives"]),
        ]

    def memory(self):
        first, second = self.resident_after
        growth = (second - first) / MIB
        return [figure.told("RSS before", f"{self.resident / MIB:,.1f} MiB"),
                figure.told("RSS, highest", f"{self.highest_resident() / MIB:,.1f} MiB"),
                figure.told("RSS in the end", f"{second / MIB:,.1f} MiB"),
                figure.at_most(GROWTH, growth,
                               self.scenario.growth_mib_max, "MiB")]

    def highest_resident(self):
        return max((resident for _, _, resident in self.result.samples), default=0)

    def errors(self):
        return sum(f" {level} " in line for line in self.server.log()
                   for level in ("error", "critical"))

    def latency(self):
        """The ping-pong's beside the load, by the clock and by the server's CPU time."""
        latencies, costs = [], []
        for span in self.result.passes:
            latencies += self.pings.between(*span)
            costs += self.pings.costs_between(*span)
        if not latencies:
            return [figure.told(LATENCY, "too short")]
        return [figure.at_most(LATENCY, figure.quantile(latencies, 0.99) / 1000,
                               self.scenario.p99_ms_max, "ms", depends_on_time=True),
                figure.at_most(COST, figure.quantile(costs, 0.99) / 1000,
                               self.scenario.cost_ms_max, "ms", depends_on_time=True)]
