"""What lies between two commits: git itself is the oracle."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orbit_release.git.clone import Clone
from tests.integration.monorepo import environment, git

WITH_GIT = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[int]]:
    """Draw, for each commit, the earlier commits that are its parents: lines, merges, several roots."""
    counts = range(draw(st.integers(2, 12)))
    return [draw(st.lists(st.integers(0, i - 1), max_size=2, unique=True)) if i else [] for i in counts]


def commits(folder: Path, parents: list[list[int]]) -> list[str]:
    """Make the commits, all of them empty."""
    tree = git(folder, "hash-object", "-t", "tree", "-w", "/dev/null")
    names: list[str] = []
    for number, above in enumerate(parents):
        arguments = [word for parent in above for word in ("-p", names[parent])]
        names.append(git(folder, "commit-tree", tree, "-m", f"c{number}", *arguments))
    return names


@WITH_GIT
@given(parents=histories(), data=st.data())
def test_between_is_what_git_log_shows(tmp_path: Path, parents: list[list[int]], data: st.DataObject) -> None:
    if not (tmp_path / ".git").exists():
        git(tmp_path, "init", "-q")
    names = commits(tmp_path, parents)
    with Clone(str(tmp_path), environment()) as clone:
        clone.deepen()
        graph = clone.graph(names)
    base, head = (data.draw(st.sampled_from(names)) for _ in range(2))
    found = [commit.name for commit in graph.between(base, head)]
    assert len(found) == len(set(found))
    assert set(found) == set(git(tmp_path, "rev-list", f"{base}..{head}").split())
    assert graph.is_ancestor(base, head) == (not git(tmp_path, "rev-list", f"{head}..{base}"))


@pytest.mark.parametrize(("older", "newer"), [("f" * 40, None), (None, "f" * 40), ("f" * 40, "f" * 40)])
def test_what_is_not_there_is_no_ancestor(tmp_path: Path, older: str | None, newer: str | None) -> None:
    git(tmp_path, "init", "-q")
    (name,) = commits(tmp_path, [[]])
    with Clone(str(tmp_path), environment()) as clone:
        clone.deepen()
        graph = clone.graph([name])
    assert name in graph
    assert not graph.is_ancestor(older or name, newer or name)
