"""The targets: what the project aims at. They are reported and never fail a run, as timing on a
shared machine isn't evidence enough to stop anybody."""

MET, UNCLEAR, MISSED = "met", "unclear", "missed"
TOO_FEW = "too few rounds"
COVERAGE_MIN = 0.9


def cpu_ratio(figure, targets):
    """Missed only when the whole interval lies above the limit: the noise has the benefit of
    the doubt, the median has to earn "met"."""
    if figure["coverage"] < COVERAGE_MIN:
        return TOO_FEW
    if figure["low"] > targets["cpu_ratio_missed_above"]:
        return MISSED
    return MET if figure["median"] <= targets["cpu_ratio"] else UNCLEAR


def user_time(microseconds, targets):
    return MET if microseconds <= targets["user_us_per_request"] else MISSED


def enters(own, reference, targets):
    most = reference * targets["enters_ratio"] + targets["enters_allowance"]
    return MET if own <= most else MISSED


def idle_enters(count, targets):
    return MET if count <= targets["idle_enters"] else MISSED


def idle_memory(bytes_each, targets):
    return MET if bytes_each <= targets["idle_rss_bytes_per_connection"] else MISSED
