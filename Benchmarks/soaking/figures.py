"""A figure of a scenario, what it should be, and whether it is."""

from dataclasses import dataclass
from typing import Any

MET, MISSED, SLOW = "met", "**missed**", "slow"


@dataclass(frozen=True)
class Figure:
    name: str
    target: str    # In words; empty for what is only reported.
    measured: str
    is_met: bool = True
    # What depends on time is reported and never fails a run: other programs slow this machine too.
    depends_on_time: bool = False

    @property
    def verdict(self):
        if not self.target:
            return ""
        return MET if self.is_met else SLOW if self.depends_on_time else MISSED

    @property
    def fails(self):
        return bool(self.target) and not self.is_met and not self.depends_on_time


def equal(name, measured, wanted=0):
    return Figure(name, _text(wanted), _text(measured), measured == wanted)


def at_most(name, measured, limit, unit, depends_on_time=False):
    return Figure(name, f"≤ {_text(limit)} {unit}", f"{_text(measured)} {unit}",
                  measured <= limit, depends_on_time)


def at_least(name, measured, limit, depends_on_time=False):
    return Figure(name, f"≥ {_text(limit)}", _text(measured), measured >= limit, depends_on_time)


def told(name, measured):
    """Reported only."""
    return Figure(name, "", _text(measured))


def _text(value: Any):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def quantile(values, fraction):
    """The least value that so many of them don't exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] if ordered else 0
