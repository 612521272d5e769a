"""Writes `soak.md`: what was done, and each figure with its target."""

from soaking.course import COST, GROWTH, LATENCY, POOL

NAME = "soak.md"


def write(folder, results, left_out, failures, context):
    """`results` are pairs of a scenario and its runs, one a style; `left_out` scenario: reason."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_head(context), _overview(results, left_out), _verdict(failures, left_out)]
    parts += [_section(scenario, runs, context.pictures.get(scenario.name))
              for scenario, runs in results]
    (folder / NAME).write_text("\n\n".join(parts) + "\n")


def _head(context):
    machine = context.machine
    scale = "" if context.scale == 1 else f" Scaled to {context.scale:g} of a whole run."
    return (f"# Soak results\n\n{machine['cpu_model']}, {machine['cpus']} CPUs, kernel "
            f"{machine['kernel']}. Server on CPU {context.server_cpu}, clients on CPU "
            f"{context.load_cpu}, both on this machine. Measured {context.date} in "
            f"{context.minutes:.0f} minutes.{scale} Every byte of every client is compared with "
            "what it sent. Latency by the clock holds whatever else the machine did, and is "
            "*slow* for that too; the server's CPU time within a ping does not. How to read it: "
            "[Testing](../../docs/TESTING.md).")


def _overview(results, left_out):
    lines = ["| scenario | style | load | targets met | pool back | RSS, second pass | ping p99 "
             "| of it the server's CPU |",
             "|---|---|---|---|---|---|---|---|"]
    for scenario, runs in results:
        for run in runs:
            judged = [one for one in run.figures if one.target]
            met = sum(one.is_met for one in judged)
            by_name = {one.name: one for one in run.figures}
            lines.append(
                f"| {scenario.name} | {run.style} | {run.load} | {met} of {len(judged)} | "
                f"{'yes' if by_name[POOL].is_met else '**no**'} | "
                f"{by_name[GROWTH].measured} | "
                f"{by_name[LATENCY].measured} | "
                f"{by_name[COST].measured if COST in by_name else '–'} |")
    lines += [f"| {name} | | left out: {why} | | | | | |" for name, why in left_out.items()]
    return "\n".join(lines)


def _verdict(failures, left_out):
    if failures:
        return "\n".join(["Failed:", "", *(f"- {one}" for one in failures)])
    text = "Every target that does not depend on time is met."
    return text + (f" Left out: {', '.join(left_out)}." if left_out else "")


def _section(scenario, runs, picture):
    names = list(dict.fromkeys(one.name for run in runs for one in run.figures))
    lines = [f"## {scenario.title}", "",
             f"| figure | target | {' | '.join(run.style for run in runs)} | |",
             "|---" * (len(runs) + 3) + "|"]
    for name in names:
        own = [next((one for one in run.figures if one.name == name), None) for run in runs]
        first = next(one for one in own if one)
        verdicts = list(dict.fromkeys(one.verdict for one in own if one))
        # When they differ, the styles are judged one by one, in their order.
        verdict = ", ".join(verdicts if len(verdicts) == 1 else
                            [one.verdict if one else "–" for one in own])
        cells = [one.measured if one else "–" for one in own]
        lines.append("| " + " | ".join([name, _target(own, first), *cells, verdict]) + " |")
    if picture:
        lines += ["", f"![{scenario.title}: descriptors, memory, pool, latency]({picture})"]
    return "\n".join(lines)


def _target(own, first):
    targets = list(dict.fromkeys(one.target for one in own if one))
    return first.target if len(targets) == 1 else ", ".join(targets)
