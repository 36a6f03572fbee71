"""Where things lie in the drawings: the timeline in per cent of its width, the bars in units of their box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orbit_release.releases.figures import WEEK, WEEKS, Figure
from orbit_release.releases.timeline import Deployed, has_failed
from orbit_release.report.time_words import Moment, count, value

_DIVISIONS, _MAJOR = 12, 3  # of the timeline; a phone has room for the label of every third
_SHORT = 12 * 24 * 60 * 60  # seconds: below this a day is not enough to label a division with
BAR, GAP, HEIGHT = 18, 6, 44  # of the bars


@dataclass(frozen=True, slots=True)
class Mark:
    """A release (`ok`), one that was rolled back from later (`failed`), or a rollback (`back`)."""

    x: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One service of the timeline."""

    service: str
    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the timeline."""

    x: str
    label: str
    is_major: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What was released when; `start` is at its left edge, the time of the page at its right one."""

    start: Moment
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]


def timeline(histories: Mapping[str, Sequence[Deployed]], now: int) -> Timeline:
    """Draw the last twelve weeks, or the time since something was deployed first."""
    first = min((found[0].since.time for found in histories.values() if found), default=0)
    start = max(min(first, now - 60), now - WEEKS * WEEK)
    lines = tuple(_line(service, found, start, now) for service, found in histories.items())
    return Timeline(Moment(start), lines, tuple(_ticks(start, now)))


def _ticks(start: int, now: int) -> Iterator[Tick]:
    is_short = now - start < _SHORT
    for place in range(_DIVISIONS + 1):
        moment = Moment(start + (now - start) * place // _DIVISIONS)
        label, room = (f"{moment.day} {moment.clock}", _MAJOR) if is_short else (moment.day, 1)
        is_major = place % (_MAJOR * (1 + is_short)) == 0  # a label with the time of day is twice as long
        yield Tick(f"{100 * place / _DIVISIONS:.2f}%", "" if place % room else label, is_major)


def _line(service: str, found: Sequence[Deployed], start: int, now: int) -> Line:
    marks = tuple(
        Mark(_place(one.since.time, start, now), *_what(service, one, after))
        for one, after in pairwise((*found, None))
        if one and one.since.time >= start
    )
    backs = sum(mark.kind == "back" for mark in marks)
    text = f"{service}: {count(len(marks) - backs, 'release')}, {count(backs, 'rollback')}"
    return Line(service, text, marks)


def _place(time: int, start: int, now: int) -> str:
    return f"{100 * min(1, (time - start) / (now - start)):.2f}%"


def _what(service: str, one: Deployed, after: Deployed | None) -> tuple[str, str]:
    when = Moment(one.since.time)
    if one.is_rollback:
        return "back", f"{service} rolled back to {one.reference.version}, {when}"
    if has_failed(one, after):
        return "failed", f"{service} {one.reference.version}, {when}, rolled back later"
    return "ok", f"{service} {one.reference.version}, {when}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One week of a figure; without a height where there is nothing to tell from."""

    x: int
    y: float
    height: float | None
    week: str
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure, and its weeks as bars; `text` says what they show."""

    name: str
    definition: str
    value: str | None
    most: str | None
    bars: tuple[Bar, ...]
    text: str

    @property
    def width(self) -> int:
        return max(1, len(self.bars) * (BAR + GAP) - GAP)


def plot(figure: Figure, now: int) -> Plot:
    """Draw a figure week by week; the largest value is as high as the box."""
    top = max((number for number in figure.weeks if number is not None), default=None)
    weeks = ", ".join(value(number, figure.unit) for number in figure.weeks)
    return Plot(
        name=figure.name,
        definition=figure.definition,
        value=None if figure.value is None else value(figure.value, figure.unit),
        most=None if top is None else value(top, figure.unit),
        bars=tuple(_bars(figure, now, top or 1)),
        text=f"{figure.name} by week, oldest first: {weeks}",
    )


def _bars(figure: Figure, now: int, top: float) -> Iterator[Bar]:
    for place, number in enumerate(figure.weeks):
        end = Moment(now - WEEK * (len(figure.weeks) - 1 - place))
        text = f"week to {end.day}: {value(number, figure.unit)}"
        height = None if number is None else max(2.0, round(HEIGHT * number / top, 1))  # a zero is to be seen, too
        yield Bar(place * (BAR + GAP), HEIGHT - (height or 0), height, end.day, text)
