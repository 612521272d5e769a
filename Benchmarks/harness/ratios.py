"""Medians and their intervals. Order statistics only: run times on a shared machine have no
known distribution, and five rounds are too few for anything that assumes one."""

from math import comb
from statistics import median


def median_interval(values, coverage=0.90):
    """The median's interval as (low, high, coverage it really has).

    The k-th smallest and k-th largest of n enclose the true median with a probability that is a
    sum of binomial terms, whatever the distribution. Takes the narrowest pair that reaches
    `coverage`; with fewer than five values no pair does, then it is the extremes and says so.
    """
    ordered = sorted(values)
    count = len(ordered)
    best = 0
    while best + 1 < count / 2 and _coverage(count, best + 1) >= coverage:
        best += 1
    return ordered[best], ordered[count - 1 - best], _coverage(count, best)


def _coverage(count, dropped):
    outside = sum(comb(count, below) for below in range(dropped + 1))
    return 1 - 2 * outside / 2 ** count if count > 1 else 0.0


def summarize(values):
    low, high, coverage = median_interval(values)
    return {"median": median(values), "low": low, "high": high, "coverage": coverage,
            "values": list(values)}
