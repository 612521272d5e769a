"""Writes the results: `latest.json` with every figure, `latest.md` to be read."""

import json

from harness import datagrams, tables

SECTIONS = (
    ("CPU time, throughput, latency", "throughput", tables.throughput),
    ("Two shards on two CPUs", "shards", tables.shards),
    ("User instructions a request", "instructions", tables.instructions),
    ("Allocator calls an echoed message", "allocations", tables.allocations),
    ("io_uring_enter calls a request", "enters", tables.enters),
    ("Idle connections", "idle", tables.idle),
    ("Steps of the loop", "micro", tables.micro),
    ("Messages between two loops", "messaging", tables.messaging),
    ("The async face", "face", tables.face),
    ("Scheduling on one loop", "scheduling", tables.scheduling),
    ("Datagrams", "udp", datagrams.lines),
    ("Reading a file", "files", tables.files),
)


def write(folder, results, thresholds, servers, failures):
    folder.mkdir(parents=True, exist_ok=True)
    document = {**results, "failures": failures}
    (folder / "latest.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (folder / "latest.md").write_text(markdown(results, thresholds, servers, failures))


def markdown(results, thresholds, servers, failures):
    parts = [_head(results, servers[0].name)]
    for title, key, lines in SECTIONS:
        if key in results:
            body = lines(results[key], tables.Context(servers, thresholds))
            parts.append("\n".join([f"## {title}", "", *body]).rstrip())
    has_candidates = any(server.is_candidate for server in servers)
    parts.append(_gates(results, failures, has_candidates))
    return "\n\n".join(parts) + "\n"


def _head(results, reference):
    machine = results["machine"]
    text = (f"# Benchmark results\n\n{machine['cpu_model']}, {machine['cpus']} CPUs, kernel "
            f"{machine['kernel']}. Server on CPU {results['server_cpu']}, load on CPU "
            f"{results['load_cpu']}, both on this machine over 127.0.0.1. "
            f"Ratios are to `{reference}` in the same round unless another server is named.")
    if results["left_out"]:
        text += "\n\nLeft out:\n\n" + "\n".join(
            f"- `{name}`: {why}" for name, why in results["left_out"].items())
    return text


def _gates(results, failures, has_candidates):
    if failures:
        return "\n".join(["## Gates", "", *(f"- Failed: {one}" for one in failures)])
    if not has_candidates:
        return "## Gates\n\nOf the traffic only, passed: no uringcore was measured."
    unlooked = [f"`{key}`" for key in ("instructions", "allocations") if key not in results]
    left_out = f" Left out: {' and '.join(unlooked)}." if unlooked else ""
    return f"## Gates\n\nPassed.{left_out}"
