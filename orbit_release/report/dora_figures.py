"""The four figures of DORA, from what was deployed when.

A release is a commit that moved at least one service forward. A service's first appearance is no release, and
neither is a rollback. Everything counts at the time of its release: the four figures tell of the same releases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median

from orbit_release.git.graph import Commit
from orbit_release.releases.timeline import Stretch, has_failed

SOURCE = "https://dora.dev/guides/dora-metrics-four-keys/"
WEEK = 7 * 24 * 60 * 60  # seconds
WEEKS = 12


class Unit(StrEnum):
    PER_WEEK = "per week"
    SECONDS = "seconds"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: over the whole window, and of each week, oldest first; None where there is nothing to tell from."""

    name: str
    definition: str
    unit: Unit
    value: float | None
    weeks: tuple[float | None, ...]


@dataclass(slots=True)
class _ReleaseCommit:
    commit: Commit
    came_in: dict[str, Commit] = field(default_factory=dict)
    restored_by: Commit | None = None  # the last rollback, if several of its services were rolled back from it

    def add(self, stretch: Stretch, after: Stretch | None) -> None:
        self.came_in |= {commit.name: commit for commit in stretch.commits}
        if after and has_failed(stretch, after):
            self.restored_by = max(self.restored_by or after.since, after.since, key=lambda commit: commit.time)

    def lead_times(self) -> list[float]:
        return [max(0, self.commit.time - commit.time) for commit in self.came_in.values()]

    def failures(self) -> list[float]:
        return [float(self.restored_by is not None)]

    def restore_times(self) -> list[float]:
        return [max(0, self.restored_by.time - self.commit.time)] if self.restored_by else []


def figures(histories: Mapping[str, Sequence[Stretch]], now: int, weeks: int = WEEKS) -> tuple[Figure, ...]:
    """Return the four figures over the last `weeks` before `now` (seconds since 1970), in DORA's order."""
    releases = _by_week(_releases(histories), now, weeks)
    return (
        _frequency(releases, _weeks_of_use(histories, now)),
        _figure("Lead time for changes", _LEAD_TIME, Unit.SECONDS, median, releases, _ReleaseCommit.lead_times),
        _figure("Change failure rate", _FAILURE_RATE, Unit.SHARE, fmean, releases, _ReleaseCommit.failures),
        _figure("Time to restore", _RESTORE_TIME, Unit.SECONDS, median, releases, _ReleaseCommit.restore_times),
    )


_FREQUENCY = (
    "How many commits a week released at least one service; several services in one commit count once, "
    "rollbacks do not count."
)
_LEAD_TIME = "The median time from a commit to the release of the service that it changed."
_FAILURE_RATE = "The share of releases of which a service was rolled back later."
_RESTORE_TIME = "The median time from such a failed release to the rollback: DORA's failed deployment recovery time."


def _releases(histories: Mapping[str, Sequence[Stretch]]) -> list[_ReleaseCommit]:
    """Return the releases without the release commits among what came in: those are no changes."""
    releases: dict[str, _ReleaseCommit] = {}
    for stretches in histories.values():
        for stretch, after in pairwise((*stretches, None)):
            if stretch and stretch.before and not stretch.is_rollback:
                releases.setdefault(stretch.since.name, _ReleaseCommit(stretch.since)).add(stretch, after)
    made = {stretch.since.name for stretches in histories.values() for stretch in stretches}
    for release in releases.values():
        release.came_in = {name: commit for name, commit in release.came_in.items() if name not in made}
    return list(releases.values())


def _by_week(releases: Sequence[_ReleaseCommit], now: int, weeks: int) -> list[list[_ReleaseCommit]]:
    by_week: list[list[_ReleaseCommit]] = [[] for _ in range(weeks)]
    for release in releases:
        age = _age_in_weeks(release.commit, now)
        if age < weeks:
            by_week[weeks - 1 - age].append(release)
    return by_week


def _age_in_weeks(commit: Commit, now: int) -> int:
    """Return the full weeks since a commit; one of a clock that is ahead was made just now."""
    return max(0, now - commit.time) // WEEK


def _weeks_of_use(histories: Mapping[str, Sequence[Stretch]], now: int) -> int:
    """Return how many weeks, the first one begun, something has been deployed: nobody could release before."""
    begins = (stretch.since for stretches in histories.values() for stretch in stretches)
    return 1 + max((_age_in_weeks(commit, now) for commit in begins), default=-1)


def _frequency(by_week: Sequence[Sequence[_ReleaseCommit]], in_use: int) -> Figure:
    counts = [float(len(releases)) for releases in by_week][max(0, len(by_week) - in_use) :]
    weeks = (*([None] * (len(by_week) - len(counts))), *counts)
    return Figure("Deployment frequency", _FREQUENCY, Unit.PER_WEEK, fmean(counts) if counts else None, weeks)


def _figure(
    name: str,
    definition: str,
    unit: Unit,
    average: Callable[[Sequence[float]], float],
    by_week: Sequence[Sequence[_ReleaseCommit]],
    measure: Callable[[_ReleaseCommit], list[float]],
) -> Figure:
    weeks = [[value for release in releases for value in measure(release)] for releases in by_week]
    window = [value for week in weeks for value in week]
    overall, *each = (average(values) if values else None for values in (window, *weeks))
    return Figure(name, definition, unit, overall, tuple(each))
