"""The checklist of `doctor`: what was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orbit_release import text
from orbit_release.errors import OrbitReleaseError

_MOST_NAMES = 5  # in a line


class LineState(StrEnum):
    OK = "ok"
    FAILED = "failed"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class ChecklistLine:
    """One line; `fix` says what to do where it is not ok."""

    group: str
    name: str
    state: LineState
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class Check:
    """What yields the lines of a group, in the order of `names`; it may end early by an error."""

    group: str
    names: tuple[str, ...]
    lines: Callable[[], Iterator[ChecklistLine]]


def ok_line(group: str, name: str, what: str) -> ChecklistLine:
    return ChecklistLine(group, name, LineState.OK, what)


def failed_line(group: str, name: str, what: str, fix: str) -> ChecklistLine:
    return ChecklistLine(group, name, LineState.FAILED, what, fix)


def unchecked_line(group: str, name: str, what: str, fix: str = "nothing, if there is none.") -> ChecklistLine:
    """Return a line about what could not be looked at; that is no failure."""
    return ChecklistLine(group, name, LineState.UNCHECKED, what, fix)


def error_line(group: str, name: str, error: OrbitReleaseError) -> ChecklistLine:
    return failed_line(group, name, error.message.replace("\n", "; "), error.hint)


def completed(
    check: Check, lines: Sequence[ChecklistLine], error: OrbitReleaseError | None
) -> tuple[ChecklistLine, ...]:
    """Return all lines of a check: the first one that is missing takes the error, and the others wait for it."""
    missing = [name for name in check.names if name not in {line.name for line in lines}]
    if error is None or not missing:
        return tuple(lines)
    first, *others = missing
    why = f"{check.group}/{first} failed"
    waiting = (unchecked_line(check.group, name, why, "mend that first.") for name in others)
    return (*lines, error_line(check.group, first, error), *waiting)


def listed(names: Iterable[object]) -> str:
    return text.listed(names, _MOST_NAMES)
