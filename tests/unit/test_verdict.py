"""The verdict on an Argo CD application: one row per state, and the laws that hold for any of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from orbit_release.argocd.observation import Observation, Operation, Resource
from orbit_release.argocd.verdict import (
    Failed,
    Look,
    PastLooks,
    Ready,
    Relation,
    Superseded,
    Waiting,
    missing_images,
    verdict_on,
)
from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference

OURS, OLD = "a" * 40, "0" * 40
IMAGE = ImageReference.parse("ghcr.io/o/api:sha-aaaaaaa")
OLD_IMAGE = ImageReference.parse("ghcr.io/o/api:sha-0000000")
API, DB = Resource("Deployment", "api", "apps", "orbit"), Resource("StatefulSet", "db", "apps", "orbit")
BEGAN, ENDED, SEEN = (f"2026-11-24T10:0{minute}:00Z" for minute in range(3))
DONE = Operation("Succeeded", OURS, "successfully synced", BEGAN, ENDED)
GOOD = Observation(OURS, "Synced", "Healthy", "", ENDED, SEEN, DONE, images=frozenset({IMAGE, OLD_IMAGE}))
LOOK = Look(GOOD, Relation.OURS, Relation.OURS, (IMAGE,))


def look(operation: dict[str, Any] | None = None, **changes: Any) -> Look:
    """Return a look at an application that runs our images, but for some changes."""
    on_look: dict[str, Any] = {
        key: changes.pop(key) for key in ("compared", "operated", "replaced_by") if key in changes
    }
    on_look |= {"images": changes.pop("wanted")} if "wanted" in changes else {}
    if operation is not None:
        changes["operation"] = replace(DONE, **operation)
    return replace(LOOK, observation=replace(GOOD, **changes), **on_look)


def references(*images: str) -> tuple[ImageReference, ...]:
    return tuple(map(ImageReference.parse, images))


def degraded(*resources: Resource, **changes: Any) -> Look:
    ill = (replace(resource, health="Degraded", message=f"{resource.name} is ill") for resource in resources)
    return look(health="Degraded", health_since=SEEN, resources=tuple(ill), **changes)


def last_verdict(looks: list[Look]) -> object:
    past = PastLooks()
    for seen in looks:
        verdict, past = verdict_on(seen, past)
    return verdict


BEFORE: dict[str, Any] = {"revision": OLD, "compared": Relation.OLDER, "operated": Relation.OLDER, "wanted": ()}
NONE: dict[str, Any] = {"revision": "", "compared": Relation.NONE, "sync": "Unknown", "health": "Unknown"}
RUNNING: dict[str, Any] = {"phase": "Running", "finished_at": "", "message": "waiting for hook"}
ERROR = ("ComparisonError: Failed to load target state: kustomize build failed",)
LATER = "2026-11-24T10:03:00Z"
WELL_AGAIN = look(resources=(replace(API, health="Healthy"),))
ON_ITS_WAY = look(health="Progressing", resources=(replace(API, health="Progressing"),))

ROWS: list[tuple[str, list[Look], object]] = [
    ("runs ours", [look()], Ready()),
    ("runs ours, and never had to sync", [look(operation=None)], Ready()),
    ("synced by an operation at an older revision", [look(operated=Relation.OLDER)], Ready()),
    ("healthy at the old revision", [look(**BEFORE)], "at 0000000"),
    ("at a revision of another line", [look(**{**BEFORE, "compared": Relation.UNRELATED})], "does not lead there"),
    ("names no revision", [look(**NONE)], "name a revision"),
    ("knows nothing of itself yet", [Look(Observation(), Relation.NONE)], "name a revision"),
    ("sees ours, and has not synced", [look(sync="OutOfSync", operated=Relation.OLDER)], "a sync: it is OutOfSync"),
    ("does not know whether it is synced", [look(sync="Unknown")], "a sync: it is Unknown"),
    ("the operation runs", [look(RUNNING)], "the operation to end: waiting for hook"),
    ("the operation is about to run", [look(is_requested=True)], "the operation to end"),
    ("the operation is being ended", [look({**RUNNING, "phase": "Terminating"})], "the operation to end"),
    ("the operation is tried again", [look({**RUNNING, "retries": 3})], "(retry 3): waiting for hook"),
    (
        "an operation at the old revision is stuck",
        [look({**RUNNING, "retries": 5}, operated=Relation.OLDER, sync="OutOfSync")],
        "the operation at aaaaaaa to end (retry 5)",
    ),
    (
        "the operation failed",
        [look({"phase": "Failed", "message": "one or more failed"})],
        (None, "one or more failed"),
    ),
    ("the operation erred", [look({"phase": "Error", "message": "no cluster"})], (None, "no cluster")),
    ("the operation failed without a word", [look({"phase": "Failed", "message": ""})], (None, "operation is Failed")),
    (
        "a hook failed",
        [look({"phase": "Failed", "faults": (Resource("Job", "migrate", message="Job has reached its limit"),)})],
        ("Job/migrate", "Job has reached its limit"),
    ),
    ("it failed, and is tried again", [look({"phase": "Failed"}, is_requested=True)], "the operation to end"),
    (
        "an older operation failed",
        [look({"phase": "Failed"}, operated=Relation.OLDER, sync="OutOfSync")],
        "a sync: it is OutOfSync",
    ),
    (
        "an older operation failed, and ours needs none",
        [look({"phase": "Failed"}, operated=Relation.OLDER)],
        Ready(),
    ),
    ("not looked at since the operation", [look(reconciled_at=BEGAN)], "look at what the operation did"),
    ("never looked at", [look(reconciled_at="")], "look at what the operation did"),
    ("progresses", [look(health="Progressing")], "health: it is Progressing"),
    (
        "progresses, and says what",
        [look(health="Progressing", resources=(replace(API, health="Progressing", message="1 of 2 updated"),))],
        "Progressing: Deployment/api: 1 of 2 updated",
    ),
    ("suspended", [look(health="Suspended")], "health: it is Suspended"),
    ("missing", [look(health="Missing")], "health: it is Missing"),
    ("of unknown health", [look(health="")], "health: it is Unknown"),
    ("the image does not run yet", [look(images=frozenset({OLD_IMAGE}))], f"{IMAGE} to run"),
    ("two images do not run yet", [look(wanted=references("a", "b", str(IMAGE)))], "a and 1 more to run"),
    ("nothing has to run", [look(wanted=(), images=frozenset())], Ready()),
    ("a later release took its place", [look(replaced_by=OLD)], Superseded(OLD)),
    ("a later release took its place, and is ill", [degraded(API, replaced_by=OLD)] * 2, Superseded(OLD)),
    ("turned Degraded, once", [look(**BEFORE), degraded(API)], "it is Degraded: Deployment/api: api is ill"),
    ("turned Degraded, and stays", [look(**BEFORE), degraded(API), degraded(API)], ("Deployment/api", "api is ill")),
    (
        "turned Degraded while it syncs",
        [look(**BEFORE), *[degraded(API, operation=RUNNING)] * 2],
        ("Deployment/api", "ill"),
    ),
    ("turned Degraded, and no resource is named", [look(**BEFORE), *[degraded()] * 2], (None, "it is Degraded")),
    ("turned Degraded, and recovered", [look(**BEFORE), degraded(API), look()], Ready()),
    ("two are Degraded for a moment each", [look(**BEFORE), degraded(API), degraded(DB)], "StatefulSet/db"),
    ("was Degraded before", [degraded(API, **BEFORE), degraded(API), degraded(API)], "it is Degraded"),
    ("was Degraded before, and recovered", [degraded(API, **BEFORE), degraded(API), look()], Ready()),
    (
        "was Degraded before, recovered, and turned Degraded",
        [degraded(API, **BEFORE), degraded(API), WELL_AGAIN, degraded(API), degraded(API)],
        ("Deployment/api", "api is ill"),
    ),
    (
        "was Degraded before without a word on what, recovered, and turned Degraded",
        [degraded(**BEFORE), look(), degraded(), degraded()],
        (None, "it is Degraded"),
    ),
    (
        "was Degraded before, on its way between, and is Degraded again",
        [degraded(API, **BEFORE), degraded(API), ON_ITS_WAY, degraded(API), degraded(API)],
        "it is Degraded",
    ),
    (
        "something else was Degraded before",
        [degraded(DB, **BEFORE), degraded(DB, API), degraded(DB, API)],
        ("Deployment/api", "api is ill"),
    ),
    (
        "was Degraded before, and names a resource only now",
        [degraded(**BEFORE), degraded(API), degraded(API)],
        "Degraded",
    ),
    (
        "Degraded before ours is applied",
        [look(**BEFORE), *[degraded(API, sync="OutOfSync", operated=Relation.OLDER)] * 2],
        "a sync: it is OutOfSync",
    ),
    ("first seen Degraded, since our operation", [degraded(API), degraded(API)], ("Deployment/api", "api is ill")),
    ("first seen Degraded, since before it", [look(health="Degraded", health_since=OLD)] * 3, "it is Degraded"),
    ("first seen Degraded, nobody knows since when", [look(health="Degraded", health_since="")] * 3, "it is Degraded"),
    ("cannot be compared, once", [look(**NONE, errors=ERROR)], "compare: ComparisonError: Failed to load"),
    ("cannot be compared, seen twice", [look(**NONE, errors=ERROR)] * 3, "compare: ComparisonError: Failed to load"),
    (
        "cannot be compared, for ten looks and another one",
        [*[look(**NONE, errors=ERROR)] * 10, look(**NONE, errors=ERROR, reconciled_at=LATER)],
        (None, "kustomize build failed"),
    ),
    (
        "cannot be compared, twice",
        [look(**NONE, errors=ERROR), look(**NONE, errors=ERROR, reconciled_at=LATER)],
        "compare: ComparisonError",
    ),
    (
        "could not be compared for a moment",
        [look(**NONE, errors=ERROR), look(), look(**NONE, errors=ERROR, reconciled_at=LATER)],
        "compare: ComparisonError",
    ),
    (
        "an older revision cannot be compared",
        [*[look(**BEFORE, errors=ERROR)] * 12, look(**BEFORE, errors=ERROR, reconciled_at=LATER)],
        "compare: ComparisonError",
    ),
    ("runs ours, with an error", [look(errors=ERROR)], "compare: ComparisonError"),
    ("is being deleted", [look(is_deleted=True)], (None, "being deleted")),
]


@pytest.mark.parametrize(("looks", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_state_has_its_verdict(looks: list[Look], expected: object) -> None:
    verdict = last_verdict(looks)
    if isinstance(expected, str):
        assert isinstance(verdict, Waiting)
        assert expected in verdict.reason
    elif isinstance(expected, tuple):
        assert isinstance(verdict, Failed)
        assert (verdict.resource and str(verdict.resource)) == expected[0]
        assert expected[1] in verdict.message
    else:
        assert verdict == expected


texts = st.sampled_from(
    ["", "Succeeded", "Running", "Failed", "Synced", "OutOfSync", "Healthy", "Degraded", BEGAN, SEEN]
)
operations = st.builds(Operation, texts, texts, texts, texts, texts, st.integers(0, 3))
resources = st.builds(Resource, st.just("Deployment"), st.sampled_from("ab"), health=texts)
observations = st.builds(
    Observation,
    revision=st.sampled_from(["", OURS, OLD]),
    sync=st.sampled_from(["Synced", "Synced", "OutOfSync", ""]),
    health=st.sampled_from(["Healthy", "Healthy", "Degraded", "Progressing", ""]),
    health_since=st.sampled_from(["", BEGAN, SEEN]),
    reconciled_at=st.sampled_from(["", BEGAN, SEEN, LATER]),
    operation=st.none() | st.just(DONE) | operations,
    is_requested=st.booleans(),
    errors=st.sampled_from([(), (), ERROR]),
    resources=st.lists(resources, max_size=2).map(tuple),
    images=st.sets(st.sampled_from([IMAGE, OLD_IMAGE])).map(frozenset),
)


def looks_at(*relations: Relation) -> st.SearchStrategy[Look]:
    return st.builds(
        Look, observations, st.sampled_from(relations), st.sampled_from(Relation), st.sampled_from([(), (IMAGE,)])
    )


@given(st.lists(looks_at(Relation.OLDER, Relation.UNRELATED, Relation.NONE), min_size=1))
def test_no_sequence_of_other_revisions_is_ever_ready(looks: list[Look]) -> None:
    past = PastLooks()
    for seen in looks:
        verdict, past = verdict_on(seen, past)
        assert not isinstance(verdict, Ready)


@given(st.lists(looks_at(*Relation), min_size=1))
def test_ready_means_all_that_it_promises(looks: list[Look]) -> None:
    past = PastLooks()
    for seen in looks:
        verdict, past = verdict_on(seen, past)
        if isinstance(verdict, Ready):
            observation, operation = seen.observation, seen.observation.operation
            assert (seen.compared, observation.sync, observation.health, observation.is_running) == (
                Relation.OURS,
                "Synced",
                "Healthy",
                False,
            )
            assert operation is None or operation.finished_at <= observation.reconciled_at
            assert operation is None or seen.operated is not Relation.OURS or operation.phase == "Succeeded"
            assert set(seen.images) <= observation.images


@given(st.lists(looks_at(*Relation), min_size=1))
def test_what_is_degraded_from_the_start_is_never_what_fails(looks: list[Look]) -> None:
    """Degraded before ours is applied, and ever since: whatever else happens, that is no failure of ours."""
    ill = replace(DB, health="Degraded")
    looks = [
        replace(seen, observation=replace(seen.observation, resources=(ill,), health="Degraded")) for seen in looks
    ]
    past = verdict_on(replace(looks[0], compared=Relation.OLDER), PastLooks())[1]
    for seen in looks:
        verdict, past = verdict_on(seen, past)
        assert not (isinstance(verdict, Failed) and verdict.resource)


def test_an_image_with_a_digest_is_told_by_it() -> None:
    digest = f"sha256:{'1' * 64}"

    def is_missing(wanted: str, running: str) -> bool:
        return bool(missing_images(look(wanted=references(wanted), images=frozenset(references(running)))))

    assert not is_missing(f"r/a:v1@{digest}", f"r/a@{digest}")
    assert is_missing(f"r/a:v1@{digest}", "r/a:v1")
    assert not is_missing(f"h:5000/a@{digest}", f"h:5000/a:v1@{digest}")


def test_what_runs_and_is_no_reference_is_left_out() -> None:
    images = [str(IMAGE), "redis", "ghcr.io/o/API:1", "", "ghcr.io/o/api:a b"]
    assert Observation.read({"status": {"summary": {"images": images}}}).images == {IMAGE, *references("redis")}


def test_an_answer_without_anything_is_an_observation() -> None:
    assert Observation.read({}) == Observation()
    assert Observation.read({"status": {"sync": None, "operationState": {}, "resources": None}}) == Observation()


@pytest.mark.parametrize(
    "status",
    [
        [],
        {"sync": "Synced"},
        {"sync": {"status": 1}},
        {"reconciledAt": "yesterday"},
        {"reconciledAt": "2026-11-24T10:00:00+01:00"},
        {"conditions": {}},
        {"conditions": ["ComparisonError"]},
        {"summary": {"images": "one"}},
        {"summary": {"images": [1]}},
        {"operationState": {"phase": "Running", "retryCount": True}},
        {"operationState": {"phase": "Running", "retryCount": "many"}},
    ],
)
def test_an_answer_of_another_type_is_refused(status: Any) -> None:
    with pytest.raises(InvalidError):
        Observation.read({"status": status})


def test_an_answer_is_read() -> None:
    document = {
        "metadata": {"name": "orbit", "deletionTimestamp": BEGAN},
        "operation": {"sync": {"revision": OURS}},
        "status": {
            "sync": {"status": "Synced", "revisions": [OLD, OURS]},
            "health": {"status": "Degraded", "message": "why", "lastTransitionTime": SEEN},
            "reconciledAt": SEEN,
            "operationState": {
                "phase": "Failed",
                "message": "failed",
                "startedAt": BEGAN,
                "finishedAt": ENDED,
                "retryCount": "2",
                "operation": {"sync": {"revisions": [OLD, OURS]}},
                "syncResult": {
                    "resources": [
                        {"kind": "Service", "name": "api", "status": "Synced"},
                        {"kind": "Job", "name": "hook", "hookPhase": "Failed", "message": "limit"},
                        {"kind": "ConfigMap", "name": "c", "status": "SyncFailed", "message": "denied"},
                    ]
                },
            },
            "conditions": [{"type": "SyncError", "message": "no"}, {"type": "ComparisonError", "message": "yes"}],
            "resources": [{"kind": "Deployment", "name": "api", "health": {"status": "Degraded", "message": "ill"}}],
            "summary": {"images": [str(IMAGE)]},
        },
    }
    faults = (Resource("Job", "hook", message="limit"), Resource("ConfigMap", "c", message="denied"))
    assert Observation.read(document, 1) == Observation(
        OURS,
        "Synced",
        "Degraded",
        "why",
        SEEN,
        SEEN,
        Operation("Failed", OURS, "failed", BEGAN, ENDED, 2, faults),
        is_requested=True,
        is_deleted=True,
        errors=("ComparisonError: yes",),
        resources=(Resource("Deployment", "api", health="Degraded", message="ill"),),
        images=frozenset({IMAGE}),
        name="orbit",
    )
    assert Observation.read(document, 2).revision == ""
