"""Where things lie in the drawings: the timeline in per cent of its width, the bars in units of their box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orbit_release.releases.timeline import Stretch, has_failed
from orbit_release.report.dora_figures import WEEK, WEEKS, Figure
from orbit_release.report.time_words import Moment, value
from orbit_release.text import counted

_DIVISIONS, _MAJOR = 12, 3  # of the timeline; a phone has room for the label of every third
_SHORT = 12 * 24 * 60 * 60  # seconds: below this a day is not enough to label a division with
BAR, GAP, HEIGHT = 18, 6, 44  # of the bars


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """A release (`ok`), one that was rolled back from later (`failed`), or a rollback (`back`)."""

    x: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """A service of the timeline; `text` says in words what is drawn."""

    service: str
    text: str
    marks: tuple[TimelineMark, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the timeline; a phone shows the labels of the major ones only."""

    x: str
    label: str
    is_major: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What was released when; `start` is at its left edge, the time of the page at its right one."""

    start: Moment
    rows: tuple[TimelineRow, ...]
    ticks: tuple[Tick, ...]


def timeline(histories: Mapping[str, Sequence[Stretch]], now: int) -> Timeline:
    """Draw the last twelve weeks, or the time since something was deployed first."""
    first = min((history[0].since.time for history in histories.values() if history), default=0)
    start = max(min(first, now - 60), now - WEEKS * WEEK)
    rows = tuple(_row(service, history, start, now) for service, history in histories.items())
    return Timeline(Moment(start), rows, tuple(_ticks(start, now)))


def _ticks(start: int, now: int) -> Iterator[Tick]:
    is_short = now - start < _SHORT
    for place in range(_DIVISIONS + 1):
        moment = Moment(start + (now - start) * place // _DIVISIONS)
        label, room = (f"{moment.day} {moment.clock}", _MAJOR) if is_short else (moment.day, 1)
        is_major = place % (_MAJOR * (1 + is_short)) == 0  # a label with the time of day is twice as long
        yield Tick(f"{100 * place / _DIVISIONS:.2f}%", "" if place % room else label, is_major)


def _row(service: str, history: Sequence[Stretch], start: int, now: int) -> TimelineRow:
    marks = tuple(
        TimelineMark(_place(deployed.since.time, start, now), *_kind_and_text(service, deployed, after))
        for deployed, after in pairwise((*history, None))
        if deployed and deployed.since.time >= start
    )
    backs = sum(mark.kind == "back" for mark in marks)
    text = f"{service}: {counted(len(marks) - backs, 'release')}, {counted(backs, 'rollback')}"
    return TimelineRow(service, text, marks)


def _place(time: int, start: int, now: int) -> str:
    return f"{100 * min(1, (time - start) / (now - start)):.2f}%"


def _kind_and_text(service: str, deployed: Stretch, after: Stretch | None) -> tuple[str, str]:
    when, version = Moment(deployed.since.time), deployed.reference.version
    if deployed.is_rollback:
        return "back", f"{service} rolled back to {version}, {when}"
    if has_failed(deployed, after):
        return "failed", f"{service} {version}, {when}, rolled back later"
    return "ok", f"{service} {version}, {when}"


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

    figure: Figure
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
        figure=figure,
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
