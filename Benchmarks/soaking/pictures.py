"""Descriptors, memory, pool and latency of a scenario over time. Needs matplotlib."""

from soaking.figures import quantile

COLORS = {"callback": "#0b5fa5", "async": "#d9541e"}
TEXT, GRID = "#222222", "#e6e6e6"
DPI = 110
MIB = 1 << 20


def draw(folder, results):
    """Returns the names of the pictures drawn by scenario; none without matplotlib."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    pyplot.rcParams.update({
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#888888",
        "axes.titlesize": 10, "axes.titleweight": "bold", "axes.axisbelow": True,
        "font.size": 9, "text.color": TEXT, "axes.labelcolor": TEXT, "xtick.color": TEXT,
        "ytick.color": TEXT})
    drawn = {}
    for scenario, runs in results:
        name = f"soak-{scenario.name}.png"
        figure = _page(pyplot, scenario, runs)
        figure.savefig(folder / name, dpi=DPI)
        pyplot.close(figure)
        drawn[scenario.name] = name
    return drawn


def _page(pyplot, scenario, runs):
    figure, panels = pyplot.subplots(2, 2, figsize=(9.5, 5.2), sharex=True, layout="constrained")
    figure.suptitle(scenario.title, x=0.01, ha="left")
    for panel, (title, draw_panel) in zip(panels.flat, PANELS):
        panel.set_title(title, loc="left")
        panel.grid(color=GRID)
        for run in runs:
            draw_panel(panel, run, COLORS[run.style])
        # After all lines: a limit that was set stays where the first line had it.
        if panel.get_yscale() == "linear":
            panel.set_ylim(bottom=0)
    for panel in panels[1]:
        panel.set_xlabel("seconds")
    marks = [pyplot.Line2D([], [], color=COLORS[run.style], linewidth=2) for run in runs]
    figure.legend(marks, [run.style for run in runs], loc="outside upper right", ncol=len(runs),
                  frameon=False)
    return figure


def _descriptors(panel, run, color):
    panel.plot([moment - run.begin for moment, _, _ in run.samples],
               [count for _, count, _ in run.samples], color=color, linewidth=1.3)
    _mark_passes(panel, run, color)


def _memory(panel, run, color):
    panel.plot([moment - run.begin for moment, _, _ in run.samples],
               [resident / MIB for _, _, resident in run.samples], color=color, linewidth=1.3)


def _pool(panel, run, color):
    panel.plot([report["time"] - run.begin for report in run.reports],
               [report["buffersLent"] for report in run.reports], color=color, linewidth=0.8)


def _latency(panel, run, color):
    by_second = {}
    for moment, latencies, _ in run.pings:
        by_second.setdefault(int(moment - run.begin), []).extend(latencies)
    seconds = [(second, own) for second, own in sorted(by_second.items()) if own]
    for fraction, width in ((0.5, 0.7), (0.99, 1.5)):
        panel.plot([moment for moment, _ in seconds],
                   [quantile(own, fraction) / 1000 for _, own in seconds], color=color,
                   linewidth=width)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(lambda value, place: f"{value:g}")


def _mark_passes(panel, run, color):
    """A bar below the line for the length of each pass."""
    for begin, end in run.passes:
        panel.axvspan(begin - run.begin, end - run.begin, ymax=0.03, color=color, alpha=0.35,
                      linewidth=0)


PANELS = (("Descriptors (bars: the two passes)", _descriptors), ("RSS, MiB", _memory),
          ("Pool buffers lent", _pool), ("Ping-pong, ms: p50 thin, p99 bold", _latency))
