"""The tables of `latest.md`, one function a section: figures in, lines of Markdown out."""

from harness import targets as target
from harness.gates import instructions_most


class Context:
    """Who is measured and what they are held to."""

    def __init__(self, servers, thresholds):
        self.reference = servers[0].name
        self.gates = thresholds["gates"]
        self.files = thresholds["targets"]["files"]
        self.targets = {server.name: target.of(server, thresholds["targets"])
                        for server in servers}


def _table(titles, lines):
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def _interval(figure):
    if len(figure["values"]) == 1:
        return "one round"
    return f"{figure['low']:.2f}–{figure['high']:.2f} ({figure['coverage']:.0%})"


def throughput(rows, context):
    for row in rows:
        rounds = len(next(iter(row["servers"].values()))["cpu_ratio"]["values"])
        yield f"### {row['row']} ({rounds} round{'s' if rounds > 1 else ''})"
        yield ""
        yield from _table(
            ["server", "CPU µs a request", "CPU ratio", "interval", "user µs", "requests/s",
             "p50 µs", "p99 µs", "p99.9 µs"],
            [_throughput_line(name, figures) for name, figures in row["servers"].items()])
        yield ""
        judged = [line for name, figures in row["servers"].items()
                  for line in _judged_lines(name, figures, context.targets[name])]
        if judged:
            yield from _table(["server", "figure", "measured", "interval", "target", ""], judged)
            yield ""


def _throughput_line(name, figures):
    ratio = figures["cpu_ratio"]
    return [f"`{name}`", f"{figures['cpu_us_per_request']['median']:.2f}",
            f"{ratio['median']:.3f}", _interval(ratio),
            f"{figures['user_us_per_request']:.2f}", f"{figures['requests_per_second']:,.0f}",
            *(f"{figures[key]:,.0f}" for key in ("p50_us", "p99_us", "p99_9_us"))]


def _judged_lines(name, figures, targets):
    """Each target of the server that this row can judge."""
    ratio, wanted = figures["cpu_ratio"], targets.get("cpu_ratio")
    if wanted is not None:
        yield [f"`{name}`", "CPU ratio", f"{ratio['median']:.3f}", _interval(ratio), f"{wanted}",
               target.ratio(ratio, wanted, targets["cpu_ratio_missed_above"])]
    ratio, wanted = figures.get("rival_cpu_ratio"), targets.get("rival_cpu_ratio")
    if ratio and wanted is not None:
        yield [f"`{name}`", f"CPU ratio to `{ratio['rival']}`", f"{ratio['median']:.3f}",
               _interval(ratio), f"{wanted}", target.ratio(ratio, wanted)]
    user, wanted = figures["user_us_per_request"], targets.get("user_us_per_request")
    if wanted is not None:
        yield [f"`{name}`", "user µs a request", f"{user:.2f}", "", f"{wanted}",
               target.at_most(user, wanted)]


def shards(figures, context):
    yield ("One server with a shard on each CPU (together), beside two servers of one shard each "
           "(apart), which is what it is judged by, and one server of one shard (alone). The same "
           "four load generators share the two CPUs in all three.")
    yield ""
    yield from _table(
        ["server", "set-up", "CPU µs a request", "requests/s", "together's ratio to it",
         "interval", "target", ""],
        [line for name, figure in figures.items()
         for line in _shards_lines(name, figure, context.targets[name])])


def _shards_lines(name, figure, targets):
    def line(setup, *ratio):
        return [f"`{name}`", setup, f"{figure['cpu_us'][setup]:.2f}",
                f"{figure['requests_per_second'][setup]:,.0f}", *ratio]
    apart, alone = figure["ratio_to_apart"], figure["ratio_to_alone"]
    wanted = targets["shards_cpu_ratio"]
    yield line("together", "", "", "", "")
    yield line("apart", f"{apart['median']:.3f}", _interval(apart), f"{wanted}",
               target.ratio(apart, wanted))
    yield line("alone", f"{alone['median']:.3f}", _interval(alone), "", "")


def instructions(figures, context):
    def most(name):
        gate = instructions_most(figures, context.gates.get(name, {}))
        return "" if gate is None else gate[1]
    return _table(["server", "median", "runs", "gate"], [
        [f"`{name}`", f"{figure['median']:,.0f}",
         ", ".join(f"{value:,.0f}" for value in figure["values"]),
         most(name)]
        for name, figure in figures.items()])


def allocations(figures, context):
    rows = list(next(iter(figures.values())))
    return _table(["server", *rows], [
        [f"`{name}`", *(_allocations_cell(own[row]) for row in rows)]
        for name, own in figures.items()])


def _allocations_cell(figure):
    if not figure["was_preloaded"]:
        return "not counted"
    return (f"{figure['per_message']:.4g} ({figure['allocations']:,} in "
            f"{figure['requests']:,})")


def enters(figures, context):
    base = figures[context.reference]["median"]
    return _table(["server", "median", "runs", "target"], [
        [f"`{name}`", f"{figure['median']:.3f}",
         ", ".join(f"{value:.3f}" for value in figure["values"]),
         target.enters(figure["median"], base, context.targets[name])]
        for name, figure in figures.items()])


def idle(figures, context):
    first = next(iter(figures.values()))
    return _table(
        ["server", f"enters in {first['seconds']} s with {first['connections']:,}", "target",
         "user memory a connection", "target"],
        [_idle_line(name, figure, context.targets[name]) for name, figure in figures.items()])


def _idle_line(name, figure, targets):
    enters, memory = figure["enters"], figure["rss_bytes_per_connection"]
    return [f"`{name}`", "–" if enters is None else str(enters),
            target.at_most(enters, targets.get("idle_enters")), f"{memory:,.0f} B",
            target.at_most(memory, targets.get("idle_rss_bytes_per_connection"))]


def micro(rows, context):
    lines = [[row["name"], f"{row['nanoseconds']:.1f}", f"{row['target']:.0f}",
              target.at_most(row["nanoseconds"], row["target"])] for row in rows]
    return _table(["step", "ns", "target", ""], lines)


FACE = [("read_ready_ns", "read, ready"), ("read_suspended_ns", "write and suspended read"),
        ("write_ns", "write"), ("spawn_ns", "spawn"), ("submit_ns", "another loop and back")]

SCHEDULING = [("sleep_0_ns", "sleep(0)"), ("gather_100_ns", "gather(100)"), ("lock_ns", "lock"),
              ("event_ns", "event"), ("queue_ns", "queue"), ("future_ns", "future"),
              ("call_soon_ns", "call_soon"), ("call_later_ns", "call_later"),
              ("timer_cancel_ns", "timer cancel"),
              ("socketpair_round_trip_ns", "socketpair, there and back")]


def face(result, context):
    return _by_step(result, FACE)


def scheduling(result, context):
    return _by_step(result, SCHEDULING)


def _by_step(result, steps):
    """One row a step: the names of the programs are few, the steps are many."""
    figures = result["figures"]
    lines = list(_table(["step", *(f"`{name}`" for name in figures)], [
        [title, *(_messaging_cell(own, key) for own in figures.values())]
        for key, title in steps]))
    absent = [f"- `{name}`: {why}" for name, why in result["left_out"].items()]
    return lines + (["", "Left out:", "", *absent] if absent else [])


def messaging(figures, context):
    columns = [("one_way_awake_ns", "one way, awake"), ("one_way_parked_ns", "one way, asleep"),
               ("round_trip_awake_ns", "there and back, awake"),
               ("round_trip_parked_ns", "there and back, asleep"),
               ("eventfd_writes_in_1000_posts", "eventfd writes in 1,000 posts")]
    return _table(["", *(title for _, title in columns)], [
        [f"`{name}`", *(_messaging_cell(own, key) for key, _ in columns)]
        for name, own in figures.items()])


def files(rows, context):
    yield ("One thread that reads a file. Ratios are of reads a second, to fio (`io_uring`) in the same "
           "round; the last to NIOFileSystem, which takes no O_DIRECT.")
    yield ""
    yield from _table(
        ["reads", "program", "reads/s", "MB/s", "ratio to fio", "interval", "target", "",
         "ratio to NIO", "target", ""],
        [_files_line(row["row"], name, own, context.files)
         for row in rows for name, own in row["programs"].items()])


def _files_line(row, name, own, targets):
    return [row, f"`{name}`", f"{own['operations_per_second']:,.0f}",
            f"{own['bytes_per_second'] / 1e6:,.0f}",
            *_at_least(own.get("ratio_to_fio"), targets["fio_ratio_min"], name, True),
            *_at_least(own.get("ratio_to_nio"), targets["nio_ratio_min"], name, False)]


def _at_least(figure, wanted, name, has_interval):
    """A ratio that is to be large; rivals have no target."""
    if figure is None:
        return [""] * (4 if has_interval else 3)
    judged = ["", ""]
    if name.startswith("uringcore"):
        judged = [f"{wanted}", target.MET if figure["median"] >= wanted else target.MISSED]
    interval = [_interval(figure)] if has_interval else []
    return [f"{figure['median']:.3f}", *interval, *judged]


def _messaging_cell(figures, key):
    if key not in figures:
        return "–"
    return f"{figures[key]:,.0f}" + (" ns" if key.endswith("_ns") else "")
