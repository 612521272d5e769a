"""The targets: what the project aims at. They are reported and never fail a run, as timing on a
shared machine isn't evidence enough to stop anybody.

A verdict is empty where a server has no such target: `of` gives rivals none at all.
"""

MET, UNCLEAR, MISSED = "met", "unclear", "missed"
TOO_FEW = "too few rounds"
COVERAGE_MIN = 0.9


def of(server, targets):
    """The server's own targets and those of every candidate, in one dictionary."""
    if not server.is_candidate:
        return {}
    return {**targets["every-candidate"], **targets.get(server.name, {})}


def ratio(figure, wanted, missed_above=None):
    """Missed only when the whole interval lies above the limit: the noise has the benefit of
    the doubt, the median has to earn "met"."""
    if wanted is None:
        return ""
    if figure["coverage"] < COVERAGE_MIN:
        return TOO_FEW
    if figure["low"] > (missed_above or wanted):
        return MISSED
    return MET if figure["median"] <= wanted else UNCLEAR


def at_most(value, wanted):
    if wanted is None or value is None:
        return ""
    return MET if value <= wanted else MISSED


def enters(own, reference, own_targets):
    if not own_targets:
        return ""
    return at_most(own, reference * own_targets["enters_ratio"] + own_targets["enters_allowance"])
