"""Times, durations and the values of figures, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from orbit_release.report.dora_figures import Unit

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60  # seconds
_LONG = 14 * _DAY  # from here on nobody asks for the hours
_LAST = 253402300799  # the end of the year 9999: a commit may claim any time, a calendar knows these only


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, in seconds since 1970, for a `<time>` element; always UTC."""

    seconds: int

    @property
    def _time(self) -> datetime:
        return datetime.fromtimestamp(min(max(self.seconds, 0), _LAST), UTC)

    @property
    def iso(self) -> str:
        return self._time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def __str__(self) -> str:
        return self._time.strftime("%Y-%m-%d %H:%M UTC")

    @property
    def day(self) -> str:
        return f"{self._time.day} {self._time:%b}"

    @property
    def clock(self) -> str:
        return self._time.strftime("%H:%M")


def duration(seconds: float) -> str:
    """Return a duration in its two largest units; a negative one, of clocks that disagree, is none."""
    whole = max(0, round(seconds))
    if whole >= _LONG:
        return f"{whole // _DAY} days"
    for size, name, part, part_name in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{whole // _MINUTE} min" if whole >= _MINUTE else f"{whole} s"


def value(number: float | None, unit: Unit) -> str:
    if number is None:
        return "none"
    if unit is Unit.SECONDS:
        return duration(number)
    return f"{number * 100:.0f}%" if unit is Unit.SHARE else f"{number:.1f}".removesuffix(".0") + " per week"
