"""The four figures, worked out by hand; times are hours before now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from orbit_release.git.graph import Commit
from orbit_release.releases.timeline import Stretch
from orbit_release.report.dora_figures import WEEK, WEEKS, Figure, figures
from tests.pages import HOUR, NOW, commit, history, reference

FIRST = 24 * 7 * WEEKS  # hours: a service's first appearance, where the window begins


def ago(hours: float, name: str = "") -> Commit:
    return commit(name or f"{hours} hours ago", NOW - round(hours * HOUR))


def deployed(tag: str, hours: float, *changes: float, release: str = "") -> Stretch:
    since = ago(hours, release)
    return Stretch(reference(f"sha-{tag}"), since, commits=tuple(map(ago, changes)))


def back(tag: str, hours: float) -> Stretch:
    return replace(deployed(tag, hours, 30), is_rollback=True)


def measured(*histories: tuple[Stretch, ...], weeks: int = WEEKS) -> dict[str, Figure]:
    found = figures({f"service-{place}": one for place, one in enumerate(histories)}, NOW, weeks)
    return {figure.name: figure for figure in found}


def values(*histories: tuple[Stretch, ...], weeks: int = WEEKS) -> list[float | None]:
    return [figure.value for figure in measured(*histories, weeks=weeks).values()]


A, B, C, D = "aaaaaaa", "bbbbbbb", "ccccccc", "ddddddd"
INCIDENT = history(
    deployed(A, FIRST), deployed(B, 200, 203, 210), deployed(C, 50, 51), back(B, 48), deployed(D, 20, 24)
)


def test_the_figures_of_an_incident() -> None:
    # Three releases in twelve weeks; changes waited 3, 10, 1 and 4 hours; one of three failed, for two hours.
    assert values(INCIDENT) == [3 / 12, 3.5 * HOUR, pytest.approx(1 / 3), 2 * HOUR]


def test_each_week_has_its_own_value_and_the_newest_is_last() -> None:
    found = measured(INCIDENT, weeks=3)
    assert [figure.weeks for figure in found.values()] == [
        (0.0, 1.0, 2.0),
        (None, 6.5 * HOUR, 2.5 * HOUR),
        (None, 0.0, 0.5),
        (None, None, 2 * HOUR),
    ]


def test_services_that_are_released_together_count_once_and_so_does_what_came_in_with_both() -> None:
    both = history(deployed(A, FIRST), deployed(B, 10, 12, 18, release="both"))
    other = history(deployed(A, FIRST), deployed(B, 10, 12, release="both"), back(A, 9))
    assert values(both, other) == [1 / 12, 5 * HOUR, 1, HOUR]


def test_a_release_is_restored_when_the_last_of_its_services_is() -> None:
    found = [history(deployed(A, FIRST), deployed(B, 10, 12, release="both"), back(A, hours)) for hours in (7, 9)]
    assert values(*found)[3] == 3 * HOUR


def test_a_release_commit_is_no_change() -> None:
    release = ago(40, "release")
    one = replace(deployed(C, 10, 12), commits=(release, ago(12)))
    assert values(history(deployed(A, FIRST), deployed(B, 40, 41, release="release"), one))[1] == 1.5 * HOUR


def test_only_the_release_that_was_rolled_back_from_failed() -> None:
    steps = (deployed(A, FIRST), deployed(B, 30, 31), deployed(C, 20, 21), back(A, 19), back(A, 18))
    assert values(history(*steps))[2:] == [0.5, HOUR]


def test_clocks_that_disagree_make_no_negative_times() -> None:
    steps = (deployed(A, FIRST), deployed(B, 10, 9), replace(back(A, 11), since=ago(11)))
    assert values(history(*steps))[1:] == [0, 1, 0]
    assert measured(history(deployed(A, FIRST), deployed(B, -5, 1)))["Deployment frequency"].weeks[-1] == 1


def test_weeks_before_anything_was_deployed_are_not_counted() -> None:
    young = measured(history(deployed(A, 24 * 10), deployed(B, 24 * 9, 24 * 9), deployed(C, 1, 2)))
    assert young["Deployment frequency"].weeks == (*([None] * 10), 1.0, 1.0)
    assert young["Deployment frequency"].value == 1


@pytest.mark.parametrize("found", [(), history(deployed(A, 5))])
def test_without_a_release_there_is_nothing_to_tell(found: tuple[Stretch, ...]) -> None:
    assert values(found)[1:] == [None, None, None]
    assert values(found)[0] == (0 if found else None)


def test_what_lies_before_the_window_does_not_count() -> None:
    old = history(deployed(A, FIRST * 2), deployed(B, FIRST, FIRST), back(A, FIRST - 1))
    assert values(old) == [0, None, None, None]


TIMES = st.lists(st.integers(0, 20 * 24 * 7), min_size=1, max_size=30, unique=True)


@settings(deadline=None)
@given(TIMES, st.data())
def test_the_weeks_add_up_to_the_whole(times: list[int], data: st.DataObject) -> None:
    steps = [deployed(f"{place:07x}", hours, hours + 1) for place, hours in enumerate(sorted(times, reverse=True))]
    rolled = [replace(one, is_rollback=bool(place and data.draw(st.booleans()))) for place, one in enumerate(steps)]
    frequency, *_, failures, _ = measured(history(*rolled)).values()
    counts = [week for week in frequency.weeks if week is not None]
    inside = [one for one in rolled[1:] if not one.is_rollback and one.since.time > NOW - WEEKS * WEEK]
    assert sum(counts) == len(inside)
    assert all((share is None) == (not week) for share, week in zip(failures.weeks, frequency.weeks, strict=True))
    assert failures.value is None or 0 <= failures.value <= 1


@settings(deadline=None)
@given(TIMES)
def test_what_is_split_over_services_counts_as_often(times: list[int]) -> None:
    start = deployed("0000000", FIRST * 3)
    steps = [deployed(f"{place:07x}", hours, hours + 1) for place, hours in enumerate(sorted(times, reverse=True), 1)]
    together = values(history(start, *steps))
    assert values(history(start, *steps[::2]), history(start, *steps[1::2])) == pytest.approx(together)
