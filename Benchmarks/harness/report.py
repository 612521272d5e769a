"""Writes the results: `latest.json` with every figure, `latest.md` to be read."""

import json

from harness import targets as target


def write(folder, results, thresholds, servers, failures):
    folder.mkdir(exist_ok=True)
    document = {**results, "failures": failures}
    (folder / "latest.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (folder / "latest.md").write_text(markdown(results, thresholds["targets"], servers, failures))


def markdown(results, targets, servers, failures):
    candidates = {server.name for server in servers if server.is_candidate}
    reference = servers[0].name
    parts = [_head(results, reference)]
    for title, key, lines in (
        ("CPU time, throughput, latency", "throughput", _throughput),
        ("io_uring_enter calls a request", "enters", _enters),
        ("User instructions a request", "instructions", _instructions),
        ("Allocator calls an echoed message", "allocations", _allocations),
        ("Idle connections", "idle", _idle),
        ("Steps of the loop", "micro", _micro),
    ):
        if key in results:
            body = lines(results[key], targets, candidates, reference)
            parts.append("\n".join([f"## {title}", "", *body]).rstrip())
    parts.append(_gates(results, failures, candidates))
    return "\n\n".join(parts) + "\n"


def _head(results, reference):
    machine = results["machine"]
    return (f"# Benchmark results\n\n{machine['cpu_model']}, {machine['cpus']} CPUs, kernel "
            f"{machine['kernel']}. Server on CPU {results['server_cpu']}, load on CPU "
            f"{results['load_cpu']}, both on this machine over 127.0.0.1. "
            f"Ratios are to `{reference}` in the same round.")


def _gates(results, failures, candidates):
    if failures:
        return "\n".join(["## Gates", "", *(f"- Failed: {one}" for one in failures)])
    if not candidates:
        return "## Gates\n\nOf the traffic only, passed: no uringcore was measured."
    unlooked = [f"`{key}`" for key in ("instructions", "allocations") if key not in results]
    left_out = f" Left out: {' and '.join(unlooked)}." if unlooked else ""
    return f"## Gates\n\nPassed.{left_out}"


def _table(titles, lines):
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def _micro(rows, targets, candidates, reference):
    lines = [[row["name"], f"{row['nanoseconds']:.1f}", f"{row['target']:.0f}",
              "met" if row["nanoseconds"] <= row["target"] else "missed"] for row in rows]
    return _table(["step", "ns", "target", ""], lines)


def _throughput(rows, targets, candidates, reference):
    for row in rows:
        rounds = len(next(iter(row["servers"].values()))["cpu_ratio"]["values"])
        yield f"### {row['row']} ({rounds} round{'s' if rounds > 1 else ''})"
        yield ""
        yield from _table(
            ["server", "CPU µs a request", "CPU ratio", "interval", "user µs", "requests/s",
             "p50 µs", "p99 µs", "p99.9 µs", "CPU target", "user target"],
            [_throughput_line(name, figures, targets, candidates)
             for name, figures in row["servers"].items()])
        yield ""


def _throughput_line(name, figures, targets, candidates):
    ratio = figures["cpu_ratio"]
    is_judged = name in candidates
    interval = f"{ratio['low']:.2f}–{ratio['high']:.2f} ({ratio['coverage']:.0%})"
    return [f"`{name}`", f"{figures['cpu_us_per_request']['median']:.2f}",
            f"{ratio['median']:.3f}",
            interval if len(ratio["values"]) > 1 else "one round",
            f"{figures['user_us_per_request']:.2f}", f"{figures['requests_per_second']:,.0f}",
            *(f"{figures[key]:,.0f}" for key in ("p50_us", "p99_us", "p99_9_us")),
            target.cpu_ratio(ratio, targets) if is_judged else "",
            target.user_time(figures["user_us_per_request"], targets) if is_judged else ""]


def _enters(figures, targets, candidates, reference):
    base = figures[reference]["median"]
    return _table(["server", "median", "runs", "target"], [
        [f"`{name}`", f"{figure['median']:.3f}",
         ", ".join(f"{value:.3f}" for value in figure["values"]),
         target.enters(figure["median"], base, targets) if name in candidates else ""]
        for name, figure in figures.items()])


def _instructions(figures, targets, candidates, reference):
    return _table(["server", "median", "runs"], [
        [f"`{name}`", f"{figure['median']:.0f}",
         ", ".join(f"{value:.0f}" for value in figure["values"])]
        for name, figure in figures.items()])


def _allocations(figures, targets, candidates, reference):
    rows = list(next(iter(figures.values())))
    return _table(["server", *rows], [
        [f"`{name}`", *(f"{own[row]['per_message']:g} ({own[row]['allocations']} in "
                        f"{own[row]['requests']:,})" for row in rows)]
        for name, own in figures.items()])


def _idle(figures, targets, candidates, reference):
    first = next(iter(figures.values()))
    return _table(
        ["server", f"enters in {first['seconds']} s with {first['connections']:,}", "target",
         "user memory a connection", "target"],
        [[f"`{name}`", str(figure["enters"]),
          target.idle_enters(figure["enters"], targets) if name in candidates else "",
          f"{figure['rss_bytes_per_connection']:.0f} B",
          target.idle_memory(figure["rss_bytes_per_connection"], targets)
          if name in candidates else ""]
         for name, figure in figures.items()])
