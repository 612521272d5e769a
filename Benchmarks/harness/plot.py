"""The CPU ratios as a picture. Needs matplotlib; without it there is none."""


def write(folder, results):
    """Returns the file's path, or None when there is nothing to draw or to draw with."""
    if "throughput" not in results:
        return None
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return None
    rows = results["throughput"]
    names = list(rows[0]["servers"])
    width = 0.8 / len(names)
    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    for index, name in enumerate(names):
        ratios = [row["servers"][name]["cpu_ratio"] for row in rows]
        medians = [ratio["median"] for ratio in ratios]
        # An interval reaches down and up from the median, in matplotlib's terms.
        reach = [[ratio["median"] - ratio["low"] for ratio in ratios],
                 [ratio["high"] - ratio["median"] for ratio in ratios]]
        places = [row + (index - (len(names) - 1) / 2) * width for row in range(len(rows))]
        axes.bar(places, medians, width * 0.92, yerr=reach, capsize=3, label=name)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(range(len(rows)), [row["row"] for row in rows])
    axes.set_ylabel("CPU time a request, reference = 1")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=len(names), frameon=False)
    figure.tight_layout()
    path = folder / "latest.png"
    figure.savefig(path, dpi=130)
    return path
