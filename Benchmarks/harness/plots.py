"""The figures as pictures. Needs matplotlib; without it there are none."""

COLORS = {
    "c-uring": "#4d4d4d",
    "c-epoll": "#9a9a9a",
    "uringcore-callback": "#0b5fa5",
    "uringcore-async": "#4fa3e0",
    "uringcore-epoll": "#86aecb",
    "nio-channel": "#d9541e",
    "nio-async": "#f08c4f",
    "nio-async-one-pool": "#f8bd94",
    "uvloop": "#4c9a5f",
}
OTHER_COLOR = "#8a6bb1"
TEXT = "#222222"
DPI = 140


def write(folder, results):
    """Returns the paths of the pictures drawn; none without figures or without matplotlib."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return []
    pyplot.rcParams.update({
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#888888",
        "axes.titlesize": 10, "axes.titleweight": "bold", "axes.axisbelow": True,
        "font.size": 9, "text.color": TEXT, "axes.labelcolor": TEXT, "xtick.color": TEXT,
        "ytick.color": TEXT, "ytick.major.size": 0})
    drawn = []
    for name, key, draw in (("latest.png", "throughput", _cpu_ratios),
                            ("latest-latency.png", "throughput", _latencies),
                            ("latest-instructions.png", "instructions", _instructions)):
        if results.get(key):
            figure = draw(pyplot, results[key])
            figure.savefig(folder / name, dpi=DPI)
            pyplot.close(figure)
            drawn.append(folder / name)
    return drawn


def _color(name):
    return COLORS.get(name, OTHER_COLOR)


def _panels(pyplot, rows):
    """One panel a row of the load, two beside each other, all with the servers down the side."""
    names = list(rows[0]["servers"])
    lines = (len(rows) + 1) // 2
    figure, axes = pyplot.subplots(lines, 2, figsize=(9.5, lines * (0.8 + 0.27 * len(names))),
                                   sharey=True, sharex=True, layout="constrained", squeeze=False)
    panels = list(axes.flat)
    for panel, row in zip(panels, rows):
        panel.set_title(row["row"], loc="left")
        panel.set_yticks(range(len(names)), names)
        panel.tick_params(labelbottom=True)
    panels[0].invert_yaxis()
    for panel in panels[len(rows):]:
        panel.set_visible(False)
    return figure, list(zip(panels, rows)), names


def _cpu_ratios(pyplot, rows):
    figure, panels, names = _panels(pyplot, rows)
    figure.suptitle("CPU time of the server a request, C on io_uring = 1", x=0.01, ha="left")
    for panel, row in panels:
        ratios = [row["servers"][name]["cpu_ratio"] for name in names]
        panel.barh(range(len(names)), [ratio["median"] for ratio in ratios], 0.72,
                   color=[_color(name) for name in names])
        for place, ratio in enumerate(ratios):
            if ratio["low"] < ratio["high"]:
                panel.plot([ratio["low"], ratio["high"]], [place, place], "|-", color=TEXT,
                           linewidth=1, markersize=6)
            panel.annotate(f"{ratio['median']:.2f}", (ratio["high"], place), (5, 0),
                           textcoords="offset points", va="center", fontsize=8,
                           bbox={"boxstyle": "square,pad=0.1", "color": "white"})
        panel.axvline(1, color=TEXT, linewidth=0.8, linestyle=":", zorder=0.9)
        panel.margins(x=0.1)
        panel.grid(axis="x", color="#e6e6e6")
    return figure


QUANTILES = (("p50_us", "o", "p50"), ("p99_us", "D", "p99"), ("p99_9_us", ">", "p99.9"))


def _latencies(pyplot, rows):
    figure, panels, names = _panels(pyplot, rows)
    figure.suptitle("Latency of a saturated server: p50, p99, p99.9 in µs (log scale)",
                    x=0.01, ha="left")
    for panel, row in panels:
        for place, name in enumerate(names):
            figures = row["servers"][name]
            values = [figures[key] for key, _, _ in QUANTILES]
            panel.plot(values, [place] * len(values), color=_color(name), linewidth=1.5)
            for value, (_, marker, _) in zip(values, QUANTILES):
                panel.plot(value, place, marker, color=_color(name), markersize=5)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(lambda value, place: f"{value:,.0f}")
        panel.grid(axis="x", color="#e6e6e6")
        panel.grid(axis="x", which="minor", color="#f3f3f3")
    marks = [pyplot.Line2D([], [], marker=marker, color=TEXT, linestyle="", markersize=5)
             for _, marker, _ in QUANTILES]
    figure.legend(marks, [label for _, _, label in QUANTILES], loc="outside upper right",
                  ncol=len(QUANTILES), frameon=False)
    return figure


def _instructions(pyplot, figures):
    names = list(figures)
    medians = [figures[name]["median"] for name in names]
    figure, panel = pyplot.subplots(figsize=(9.5, 0.9 + 0.32 * len(names)), layout="constrained")
    figure.suptitle("User instructions of the server a request, 10 connections × 64 B (log scale)",
                    x=0.01, ha="left")
    panel.barh(range(len(names)), medians, 0.72, color=[_color(name) for name in names])
    for place, median in enumerate(medians):
        panel.annotate(f"{median:,.0f}", (median, place), (4, 0), textcoords="offset points",
                       va="center", fontsize=8)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.set_xlim(left=10)  # A logarithmic bar has no zero; all are cut at the same place.
    panel.xaxis.set_major_formatter(lambda value, place: f"{value:,.0f}")
    panel.margins(x=0.08)
    panel.grid(axis="x", color="#e6e6e6")
    return figure
