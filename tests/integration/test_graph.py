"""How commits descend from each other: git itself is the oracle."""

from __future__ import annotations

import subprocess
from itertools import product
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
    """Draw, for each commit, the earlier commits that are its parents: lines, merges of up to four, several roots."""
    counts = range(draw(st.integers(2, 12)))
    return [draw(st.lists(st.integers(0, i - 1), max_size=4, unique=True)) if i else [] for i in counts]


def commits(folder: Path, parents: list[list[int]]) -> list[str]:
    """Make the commits, all of them empty."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    (folder / ".git" / "shallow").unlink(missing_ok=True)
    tree = git(folder, "hash-object", "-t", "tree", "-w", "/dev/null")
    names: list[str] = []
    for number, above in enumerate(parents):
        arguments = [word for parent in above for word in ("-p", names[parent])]
        names.append(git(folder, "commit-tree", tree, "-m", f"c{number}", *arguments))
    return names


def some_of(data: st.DataObject, names: list[str], least: int) -> list[str]:
    return data.draw(st.lists(st.sampled_from(names), min_size=least, max_size=4, unique=True))


@WITH_GIT
@given(parents=histories(), data=st.data())
def test_between_is_what_git_log_shows(tmp_path: Path, parents: list[list[int]], data: st.DataObject) -> None:
    heads = some_of(data, commits(tmp_path, parents), 1)
    with Clone(str(tmp_path), environment()) as clone:
        assert not clone.is_shallow
        history = clone.history(heads)
    base, head = (data.draw(st.sampled_from(heads)) for _ in range(2))
    found = [commit.name for commit in history.between(base, head)]
    assert len(found) == len(set(found))
    assert set(found) == set(git(tmp_path, "rev-list", f"{base}..{head}").split())


@WITH_GIT
@given(parents=histories(), data=st.data())
def test_an_ancestor_is_what_git_says_it_is_in_a_shallow_clone_too(
    tmp_path: Path, parents: list[list[int]], data: st.DataObject
) -> None:
    names = commits(tmp_path, parents)
    heads = some_of(data, names, 1)
    if boundary := some_of(data, names, 0):
        (tmp_path / ".git" / "shallow").write_text("".join(f"{name}\n" for name in boundary))
    with Clone(str(tmp_path), environment()) as clone:
        assert clone.is_shallow == bool(boundary)
        history = clone.history(heads)
    for older, newer in product(heads, repeat=2):
        command = ["git", "merge-base", "--is-ancestor", older, newer]
        answer = subprocess.run(command, cwd=tmp_path, env=environment(), check=False).returncode == 0
        assert history.is_ancestor(older, newer) == answer


@pytest.mark.parametrize("heads", [1, 2])
def test_a_history_answers_for_its_heads_only(tmp_path: Path, heads: int) -> None:
    names = commits(tmp_path, [[], [0], [1]])
    with Clone(str(tmp_path), environment()) as clone:
        assert not clone.is_shallow
        history = clone.history(names[:heads])
    for unknown in (names[2], "f" * 40):
        for pair in ((unknown, names[0]), (names[0], unknown), (unknown, unknown)):
            with pytest.raises(LookupError, match=unknown):
                history.is_ancestor(*pair)
