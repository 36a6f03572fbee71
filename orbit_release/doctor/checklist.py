"""The checklist of `doctor`: what was looked at, how it stands, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orbit_release.errors import OrbitReleaseError

GROUPS = ("git", "github", "registry", "builder", "doppler", "dns", "certificate", "argocd", "nfs")
_SHOWN = 5


class State(StrEnum):
    """How a line stands."""

    OK = "ok"
    FAILED = "failed"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `fix` says what to do where it is not ok."""

    group: str
    name: str
    state: State
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class Check:
    """What tells the lines of a group, in the order of `names`; it may end early by an error."""

    group: str
    names: tuple[str, ...]
    tell: Callable[[], Iterator[Line]]


def ok(group: str, name: str, what: str) -> Line:
    """Return a line that needs nothing."""
    return Line(group, name, State.OK, what)


def failed(group: str, name: str, what: str, fix: str) -> Line:
    """Return a line about what would fail."""
    return Line(group, name, State.FAILED, what, fix)


def unchecked(group: str, name: str, what: str, fix: str) -> Line:
    """Return a line about what could not be looked at; that is no failure."""
    return Line(group, name, State.UNCHECKED, what, fix)


def broken(group: str, name: str, error: OrbitReleaseError) -> Line:
    """Return the line that an error ended."""
    return failed(group, name, error.message.replace("\n", "; "), error.hint)


def completed(check: Check, lines: Sequence[Line], error: OrbitReleaseError | None) -> tuple[Line, ...]:
    """Return all lines of a check: the first one that is missing takes the error, and the others wait for it."""
    missing = [name for name in check.names if name not in {line.name for line in lines}]
    if error is None or not missing:
        return tuple(lines)
    first, *others = missing
    told = [broken(check.group, first, error)]
    told += [unchecked(check.group, name, f"{check.group}/{first} failed", "mend that first.") for name in others]
    return (*lines, *told)


def listed(names: Iterable[object]) -> str:
    """Return names in a row, the first few of many."""
    all_ = [str(name) for name in names]
    more = len(all_) - _SHOWN
    return ", ".join(all_[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def keys_line(wanted: Collection[str], there: Collection[str], where: str) -> Line:
    """Tell which keys that the manifests ask for are missing in a store."""
    missing = sorted(set(wanted) - set(there))
    if missing:
        counted = f"{len(missing)} of {len(wanted)} keys are missing"
        keys = ", ".join(missing)  # all of them: somebody has to enter each
        return failed("doppler", "keys", f"{where}: {counted}: {keys}", f"doppler secrets set {' '.join(missing)}")
    return ok("doppler", "keys", f"{where}: all {len(wanted)} keys are there")


def directory_lines(directories: Mapping[str, Collection[str]]) -> Iterator[Line]:
    """Tell, for each NFS server, the command that checks what the volumes mount from it."""
    for server, paths in directories.items():
        count = "1 directory" if len(paths) == 1 else f"{len(paths)} directories"
        fix = f"ssh {shlex.quote(server)} ls -ldn {' '.join(map(shlex.quote, paths))}"
        yield unchecked("nfs", server, f"{count}: cannot be seen from here", fix)
