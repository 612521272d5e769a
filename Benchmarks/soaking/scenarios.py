"""The table of scenarios, and what each does to the server."""

import time
from dataclasses import dataclass, field
from typing import Callable

from soaking import figures as figure
from soaking.places import HalfQuota, LittleLockedMemory, LossyNetwork, Machine, OneCPU

KIB, MIB, GB = 1 << 10, 1 << 20, 10**9
# Of a connection: its high watermark for writing, and its cap of parked input.
QUEUED_KIB_MAX = 256 + 256
RETURN_MS_MAX = 50


def nothing(course):
    return []


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    load: Callable           # One pass; gets the course.
    describe: Callable       # What was done, in numbers, once it was.
    place: Callable = Machine
    styles: tuple = ("callback", "async")
    environment: dict = field(default_factory=dict)
    figures: Callable = nothing
    growth_mib_max: float = 2
    p99_ms_max: float = 20
    cost_ms_max: float = 10


# ---- Connections that come and go ------------------------------------------------------------


def churn(course):
    course.clients.run("churn", connections=course.scaled(200_000))


def transfer(course):
    course.clients.run("transfer", bytes=course.scaled(5 * GB), connections=16,
                       longest=16 * MIB, seed=3 + course.number)


def leave(course):
    """A third closes, a third resets, a third is killed with its program."""
    many = course.scaled(500, least=25)
    for way in ("close", "reset"):
        course.clients.run("quitters", connections=many, way=way)
    for _ in range(course.scaled(20)):
        course.server.settle(1, 30)
        process = course.clients.start("quitters", connections=25, way="killed")
        course.notes["killed"] = course.notes.get("killed", 0) + 25
        with_pings = course.descriptors + 1
        course.clients.kill_when_flowing(process)
        course.notes.setdefault("return_ms", []).append(wait_for_return(course, with_pings))


def wait_for_return(course, descriptors):
    """How long the server keeps descriptors of peers that are gone, in ms."""
    begin = time.monotonic()
    while course.server.descriptors() > descriptors and time.monotonic() < begin + 30:
        time.sleep(0.002)
    return (time.monotonic() - begin) * 1000


def leaving_figures(course):
    waits = course.notes["return_ms"]
    return [figure.at_most("descriptors of a killed program back, longest", max(waits),
                           RETURN_MS_MAX, "ms", depends_on_time=True)]


# ---- Peers that hold on ----------------------------------------------------------------------


def read_slowly(course):
    count = course.scaled(2_000, least=100)
    course.notes["count"] = count
    report = course.clients.run("slow_readers", connections=count, seconds=course.seconds(20))
    course.notes.setdefault("holds", []).append(report["hold"])


def slow_reading_figures(course):
    """What the server holds is at most what it lets each connection queue, and a tenth more.

    This bounds it while they are there; what is left of it afterwards is the growth's business, and
    the heap is trimmed a second after they have gone.
    """
    growth = (course.highest_resident() - course.resident) / KIB / course.notes["count"]
    held = [one for span in course.notes["holds"] for one in course.pings.between(*span)]
    return [figure.at_most("RSS a connection", growth, QUEUED_KIB_MAX * 1.1, "KiB"),
            figure.at_most("ping-pong while they hold, p99", figure.quantile(held, 0.99) / 1000,
                           20, "ms", depends_on_time=True)]


def drip(course):
    # Not scaled by the pass: all of them are open at a time.
    count = course.scaled(2 * 5_000, least=200)
    course.notes["count"] = count
    course.clients.run("slowloris", connections=count, seconds=course.seconds(40))


def firehose(course):
    course.clients.load(connections=1, bytes=MIB, pipeline=4, seconds=course.seconds(20, least=3))


def firehose_figures(course):
    """Beside the firehose and before it."""
    alone = course.pings.between(course.result.begin, course.result.passes[0][0])
    beside = [one for span in course.result.passes for one in course.pings.between(*span)]
    quiet = figure.quantile(alone, 0.99)
    ratio = figure.quantile(beside, 0.99) / max(1, quiet)
    return [figure.told("ping-pong alone, p99", f"{quiet / 1000:.1f} ms"),
            figure.at_most("its p99 beside the firehose", ratio, 5.0, "times that",
                           depends_on_time=True)]


# ---- Less than a whole machine ---------------------------------------------------------------


def mixed(course):
    """Some of everything."""
    course.clients.load(connections=50, bytes=64, seconds=course.seconds(8))
    course.clients.run("churn", connections=course.scaled(10_000))
    course.clients.run("transfer", bytes=course.scaled(0.5 * GB), connections=16)


def over_the_cable(course):
    # No resets here: one that is lost is never repeated, and the server rightly waits.
    course.clients.run("churn", connections=course.scaled(400), gentle=True)
    course.clients.run("transfer", bytes=course.scaled(0.2 * GB), connections=16,
                       longest=8 * MIB)


# ---- The table -------------------------------------------------------------------------------


def in_numbers(text):
    """A description that holds the totals of the run."""
    def describe(course):
        totals = course.clients.totals
        return text.format(connections=totals["connections"], gigabytes=totals["bytes"] / GB,
                           **{"killed": 0, "count": 0, **course.notes})
    return describe


SCENARIOS = [
    Scenario("churn", "Connections come and go, half of them reset; two shards on one CPU", churn,
             in_numbers("{connections:,} connections, 48 at a time, up to 200 B each"),
             environment={"URINGCORE_CORE_COUNT": "2"}),
    Scenario("transfer", "Bytes in pieces of any size, half-closes", transfer,
             in_numbers("{gigabytes:.2f} GB over {connections:,} connections, 16 at a time, "
                        "up to 16 MiB each")),
    Scenario("leaving", "Peers that close, reset or are killed in the middle of a transfer", leave,
             in_numbers("{connections:,} that closed or reset, {killed:,} killed"),
             figures=leaving_figures),
    Scenario("slow-readers", "Peers that send and hardly read", read_slowly,
             in_numbers("{count:,} at a time, twice; half of them read nothing, half 1 KiB a "
                        "second; then all"),
             figures=slow_reading_figures, growth_mib_max=8, p99_ms_max=500, cost_ms_max=200),
    Scenario("slowloris", "Connections that send a byte a second", drip,
             in_numbers("{count:,} at a time, twice")),
    Scenario("firehose", "One connection sends as fast as it can beside a ping-pong", firehose,
             in_numbers("{gigabytes:.2f} GB, 4 MiB in flight"), figures=firehose_figures),
    Scenario("one-cpu", "A cpuset of one CPU", mixed,
             in_numbers("50 × 64 B, churn and transfer: {connections:,} connections, "
                        "{gigabytes:.2f} GB"), OneCPU, ("async",)),
    Scenario("half-quota", "A CPU quota of 50 %", mixed,
             in_numbers("50 × 64 B, churn and transfer: {connections:,} connections, "
                        "{gigabytes:.2f} GB"), HalfQuota, ("async",), p99_ms_max=150),
    Scenario("memlock", "64 KiB of locked memory, without rights", mixed,
             in_numbers("50 × 64 B, churn and transfer: {connections:,} connections, "
                        "{gigabytes:.2f} GB"), LittleLockedMemory, ("callback",)),
    Scenario("loss", "1 % of the packets lost each way, 200 Mbit/s", over_the_cable,
             in_numbers("churn and transfer: {connections:,} connections, {gigabytes:.2f} GB"),
             LossyNetwork, p99_ms_max=1000),
]
