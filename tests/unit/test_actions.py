from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import assume, given, strategies as st

from orbit_release.git.graph import ChangedFile, Commit, History
from orbit_release.globs import Globs
from orbit_release.image import ImageReference, Repository, Tag
from orbit_release.planning.actions import (
    Action,
    Deployment,
    Plan,
    ServicePlan,
    absent,
    aim,
    assess,
    describe,
    most_urgent,
    with_image,
)
from orbit_release.service import BuildSettings, Service

API = Service("api", Repository("ghcr.io/acme/api"), Globs(("api/**",)), BuildSettings(".", "api/Dockerfile"))
OLD, NEW = "0aa11bb" + "0" * 33, "1a2b3c4" + "0" * 33
OLD_TAG, NEW_TAG = Tag("sha-0aa11bb"), Tag("sha-1a2b3c4")
FILES = (ChangedFile(b"api/main.go", "M"), ChangedFile(b"api/new.go", "A"), ChangedFile(b"api/old.go", "D"))


def history_of(parents: Mapping[str, Sequence[str]], heads: Collection[str]) -> History:
    """Return the history of some heads that lists these commits, the newest first."""
    return History(heads, (Commit(name, tuple(above), 0, "", "") for name, above in parents.items()))


FORWARD = history_of({NEW: [OLD], OLD: []}, (OLD, NEW))
BACKWARD = history_of({OLD: [NEW], NEW: []}, (OLD, NEW))
DIVERGED = history_of({OLD: [], NEW: []}, (OLD, NEW))


def deployed(tag: str | None, *, hold: str | None = None, commit: str | None = None) -> Deployment:
    return Deployment(ImageReference(API.repository, Tag(tag) if tag else None), hold, commit)


RUNNING = deployed("sha-0aa11bb", commit=OLD)


@pytest.mark.parametrize(
    ("deployment", "files", "settings_changed", "action", "reason"),
    [
        (None, (), False, "unmanaged", "no manifest names it"),
        (deployed("latest"), (), False, "build", "never released: deployed is latest"),
        (deployed(None), (), False, "build", "never released: deployed is no tag"),
        (deployed("v1.2.3"), FILES, True, "held", "pinned to v1.2.3 by hand"),
        (deployed("sha-main"), FILES, True, "held", "pinned to sha-main by hand"),
        (deployed("sha-0aa11bb", hold="crash loop", commit=OLD), FILES, True, "held", "held: crash loop"),
        (deployed("latest", hold=""), (), False, "held", "held: no reason given"),
        (deployed("sha-0aa11bb"), (), False, "build", "sha-0aa11bb names no commit that is known here"),
        (RUNNING, (), False, "current", "no input changed since sha-0aa11bb"),
        (RUNNING, FILES[:1], False, "build", "1 file changed since sha-0aa11bb: api/main.go"),
        (RUNNING, FILES, False, "build", "3 files changed since sha-0aa11bb: api/main.go and 2 more"),
        (RUNNING, FILES[:1], True, "build", "1 file changed since sha-0aa11bb: api/main.go"),
        (RUNNING, (), True, "build", "its build settings changed since sha-0aa11bb"),
    ],
)
def test_trees_tell_whether_a_service_is_held_current_or_to_be_built(
    deployment: Deployment | None, files: Sequence[ChangedFile], action: str, reason: str, *, settings_changed: bool
) -> None:
    found = assess(API, deployment, files, settings_changed=settings_changed)
    assert (found.action, found.reason, found.deployed, found.target) == (action, reason, deployment, None)


def test_the_files_of_a_held_service_are_not_listed() -> None:
    assert assess(API, deployed("v1", hold="x"), FILES, settings_changed=False).files == ()
    assert assess(API, RUNNING, FILES, settings_changed=False).files == FILES


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"a b", "a b"),
        ("größe".encode(), "größe"),
        (b"a\nb", "a\\nb"),
        (b"a\tb", "a\\tb"),
        (b"a\x1b[2J", "a\\x1b[2J"),
        (b"\xff", "\\xff"),
        ("\u202eb".encode(), "\\u202eb"),
    ],
)
def test_a_changed_file_is_shown_on_one_line_whatever_its_name(path: bytes, shown: str) -> None:
    assert describe([ChangedFile(path, "M")], "since x") == f"1 file changed since x: {shown}"


def to_build(deployment: Deployment | None = RUNNING) -> ServicePlan:
    return assess(API, deployment, FILES, settings_changed=False)


def test_the_way_forward_gets_the_target_and_its_tag() -> None:
    found = aim(to_build(), NEW, FORWARD)
    assert (found.action, found.target, found.tag, found.warning) == (Action.BUILD, NEW, NEW_TAG, None)
    assert str(found.image) == "ghcr.io/acme/api:sha-1a2b3c4"


def test_a_service_that_runs_something_newer_than_the_target_is_current() -> None:
    found = aim(to_build(), NEW, BACKWARD)
    assert (found.action, found.reason) == (Action.CURRENT, "sha-0aa11bb is newer than sha-1a2b3c4")
    assert (found.target, found.tag, found.image) == (None, None, None)


def test_a_service_that_runs_the_target_is_current() -> None:
    plan = assess(API, RUNNING, (), settings_changed=False)
    assert aim(plan, OLD, FORWARD).action is Action.CURRENT


def test_histories_that_diverged_go_forward_with_a_warning() -> None:
    found = aim(to_build(), NEW, DIVERGED)
    assert (found.action, found.target) == (Action.BUILD, NEW)
    assert found.warning == "sha-0aa11bb is not an ancestor of sha-1a2b3c4: was history rewritten?"


@pytest.mark.parametrize("deployment", [deployed("latest"), deployed(None), deployed("sha-0aa11bb")])
def test_a_service_whose_commit_is_unknown_gets_the_target(deployment: Deployment | None) -> None:
    found = aim(to_build(deployment), NEW, History())
    assert (found.action, found.target, found.warning) == (Action.BUILD, NEW, None)


def test_a_tag_whose_commit_is_unknown_is_current_when_it_is_the_targets_tag() -> None:
    found = aim(to_build(deployed("sha-1a2b3c4")), NEW, History())
    assert (found.action, found.reason, found.target) == (Action.CURRENT, "sha-1a2b3c4 is deployed", None)


def test_an_image_that_is_there_only_needs_its_release() -> None:
    aimed = aim(to_build(), NEW, FORWARD)
    found = with_image(aimed, there=True)
    assert (found.action, found.target, found.reason) == (Action.RELEASE, NEW, aimed.reason)


def test_an_image_that_is_not_there_is_to_be_built() -> None:
    aimed = aim(to_build(), NEW, FORWARD)
    assert with_image(aimed, there=False) == aimed


def test_a_service_that_no_manifest_names_is_built_and_stays_unmanaged() -> None:
    aimed = aim(to_build(None), NEW, FORWARD)
    assert (aimed.action, aimed.target, aimed.is_to_build) == (Action.UNMANAGED, NEW, True)
    found = with_image(aimed, there=True)
    assert (found.action, found.target, found.is_to_build) == (Action.UNMANAGED, NEW, False)


def test_a_service_that_is_only_built_is_done_once_it_is_built() -> None:
    only_built = assess(replace(API, is_deployed=False), None, FILES, settings_changed=False)
    aimed = aim(only_built, NEW, FORWARD)
    assert (aimed.action, aimed.target) == (Action.BUILD, NEW)
    found = with_image(aimed, there=True)
    assert (found.action, found.target) == (Action.CURRENT, None)
    assert found.reason == "sha-1a2b3c4 is in the registry, and it is only built"


@pytest.mark.parametrize("action", sorted({*Action} - {Action.BUILD, Action.UNMANAGED}))
def test_the_registry_changes_nothing_about_what_is_not_to_be_built(action: Action) -> None:
    one = ServicePlan(API, action, "a reason", RUNNING)
    assert with_image(one, there=True) == one


def test_an_absent_service_names_the_dockerfile_that_is_missing() -> None:
    found = absent(API, "at 1a2b3c4")
    assert (found.action, found.reason) == (Action.ABSENT, "no api/Dockerfile at 1a2b3c4")


def test_the_most_urgent_of_several_references_stands_for_the_service() -> None:
    order = [Action.HELD, Action.BUILD, Action.RELEASE, Action.UNMANAGED, Action.CURRENT]
    for some in (pick for size in (1, 2, 3, 4, 5) for pick in permutations(order, size)):
        assert most_urgent([ServicePlan(API, action, "") for action in some]).action is min(some, key=order.index)


def test_a_reference_that_is_newer_than_the_target_has_a_veto() -> None:
    newer = aim(to_build(), NEW, BACKWARD)
    for others in (
        [to_build()],
        [ServicePlan(API, Action.HELD, "")],
        [to_build(), ServicePlan(API, Action.RELEASE, "")],
    ):
        assert most_urgent([*others, newer]) == newer


def test_a_plan_gives_the_services_that_need_an_action_in_its_order() -> None:
    plans = tuple(ServicePlan(API, action, "") for action in Action)
    assert [one.action for one in Plan(NEW, plans).pending] == [Action.RELEASE, Action.BUILD, Action.UNMANAGED]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Return commits with their parents; every parent is older, that is, has a smaller number."""
    size = draw(st.integers(1, 9))
    return {
        str(n): [str(p) for p in draw(st.lists(st.integers(0, n - 1), unique=True, max_size=3))] if n else []
        for n in range(size)
    }


def newest_first(parents: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return dict(sorted(parents.items(), key=lambda item: -int(item[0])))


def reachable(parents: Mapping[str, Sequence[str]], commit: str) -> set[str]:
    return {commit}.union(*(reachable(parents, parent) for parent in parents[commit]))


@given(graphs())
def test_a_whole_history_knows_every_ancestor(parents: dict[str, list[str]]) -> None:
    history = history_of(newest_first(parents), parents)
    for newer in parents:
        assert {older for older in parents if history.is_ancestor(older, newer)} == reachable(parents, newer)


@given(graphs(), st.data())
def test_a_history_above_a_common_ancestor_answers_as_the_whole_does(
    parents: dict[str, list[str]], data: st.DataObject
) -> None:
    asked = data.draw(st.lists(st.sampled_from(sorted(parents)), min_size=1, max_size=4))
    shared = set(parents).intersection(*(reachable(parents, commit) for commit in asked))
    below = reachable(parents, data.draw(st.sampled_from(sorted(shared)))) if shared else set[str]()
    above = {commit: found for commit, found in newest_first(parents).items() if commit not in below}
    history = history_of(above, asked)
    for older, newer in product(asked, repeat=2):
        assert history.is_ancestor(older, newer) == (older in reachable(parents, newer))
        between = [commit.name for commit in history.between(older, newer)]
        assert sorted(between) == sorted(reachable(parents, newer) - reachable(parents, older))
    for other in parents.keys() - {*asked}:
        for pair in ((other, asked[0]), (asked[0], other), (other, other)):
            with pytest.raises(LookupError, match=other):
                history.is_ancestor(*pair)


@given(graphs(), st.data())
def test_no_service_ever_goes_backwards(parents: dict[str, list[str]], data: st.DataObject) -> None:
    commits = {commit: f"{int(commit):07x}" + "0" * 33 for commit in parents}
    running, target = (data.draw(st.sampled_from(sorted(parents))) for _ in range(2))
    assume(running != target)
    named = {commits[c]: [commits[p] for p in found] for c, found in newest_first(parents).items()}
    history = history_of(named, (commits[running], commits[target]))
    deployment = deployed(f"sha-{commits[running][:7]}", commit=commits[running])
    found = aim(to_build(deployment), commits[target], history)
    assert (found.action is Action.CURRENT) == (target in reachable(parents, running))
    assert (found.warning is not None) == (
        target not in reachable(parents, running) and running not in reachable(parents, target)
    )


def test_a_long_history_is_no_deep_recursion() -> None:
    chain = {str(n): [str(n - 1)] if n else [] for n in reversed(range(20_000))}
    history = history_of(chain, ("0", "19999"))
    assert history.is_ancestor("0", "19999")
    assert not history.is_ancestor("19999", "0")
