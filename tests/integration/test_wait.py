"""`wait` cannot be fooled: lives of an application, each with the right answer. Time is passed in; nothing sleeps."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest

from orbit_release import config
from orbit_release.argocd.application import ApplicationSource
from orbit_release.argocd.client import ArgoCD
from orbit_release.argocd.connection import Connection
from orbit_release.argocd.verdict import Failed, Ready, Superseded, Waiting
from orbit_release.config import ArgoCDNames
from orbit_release.errors import AccessError, NotFoundError, OrbitReleaseError, UnusableError
from orbit_release.flows.awaited_release import AwaitedRelease
from orbit_release.flows.source import Source
from orbit_release.flows.wait import ObservedApplication, WaitResult, fault_of, wait
from orbit_release.git.clone import Clone
from tests.certificates import certificate_file, server_context
from tests.integration.argocd import (
    DENIED_RESOURCE,
    FAILED_HOOK,
    ILL,
    NOBODY,
    RUNNING,
    SEEN,
    Serve,
    World,
    build,
    synced,
)
from tests.integration.monorepo import CONFIG, FOLDER, MANIFEST, Monorepo, environment, git
from tests.integration.terminal import terminal
from tests.integration.test_schema import document
from tests.servers.argocd import BAD_GATEWAY, LOGIN, PAGE, TO_HTTPS, TOKEN, Reply
from tests.servers.argocd_life import Cut, Hang, LivingServer, Step
from tests.servers.serving import serving

ADDRESS = "https://github.com/octo/orbit"
EXPIRED = Reply.problem(401, 16, "invalid session: token has invalid claims: token is expired")
REFRESH_FAILED = Reply.problem(500, 2, "error refreshing the app: etcdserver: request timed out")
BUSY = Reply.problem(503, 14, "connection error: desc = transport is closing")
TOO_MANY = Reply(429, b"slow down")
NO_BACKEND = Reply(404, b"404 page not found\n")
DENIED = Reply.problem(403, 7, "permission denied")
GONE = Reply.problem(404, 5, 'applications.argoproj.io "orbit" not found')
BROKEN = {"ComparisonError": "Failed to load target state: kustomize build failed"}
NO_CLUSTER = {"ComparisonError": "Failed to load live state: failed to get cluster info: dial tcp: i/o timeout"}
NO_CACHE = {
    "ComparisonError": "Failed to load target state: rpc error: code = Unknown desc = dial tcp: lookup argocd-redis: no"
}
HOOK_ILL = {"Deployment/api": ("Healthy", ""), "Job/migrate": ("Degraded", "Job has reached its backoff limit")}
FLAKY = {"Deployment/api": ("Healthy", ""), "Deployment/flaky": ("Degraded", "exceeded its progress deadline")}
NO_FIGURES = {
    "Deployment/api": ("Progressing", "1 of 2 updated"),
    "HorizontalPodAutoscaler/api": ("Degraded", "did not receive metrics for targeted pods"),
}
ON_ITS_WAY = {"Deployment/api": ("Progressing", "1 of 2 updated")}
DB_ILL = {"StatefulSet/db": ("Degraded", "no disk")}
BOTH_ILL = {"Deployment/api": ILL, "Deployment/web": ILL}
FLAKE = {"ComparisonError": "Failed to load target state: rpc error: code = Unavailable"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("world"))


class Time:
    """A clock that goes on only where somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.seconds += seconds
        self.pauses.append(seconds)


@dataclass
class Lived:
    """How a wait for a life ended."""

    ended: WaitResult | OrbitReleaseError
    fault: OrbitReleaseError | None
    server: LivingServer
    time: Time
    told: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> type:
        return type(self.ended.verdict if isinstance(self.ended, WaitResult) else self.ended)

    @property
    def message(self) -> str:
        error = self.fault or (self.ended if isinstance(self.ended, OrbitReleaseError) else None)
        return f"{error.message}\n{error.hint}" if error else ""


def source_of(repo: Monorepo, git_clone: Clone) -> Source:
    data = (repo.clone / "orbit-release.yaml").read_bytes()
    loaded = config.load(data, "orbit-release.yaml")
    git_clone.branch = loaded.branch
    return Source(git_clone, loaded, "orbit-release.yaml", data)


def live(
    world: World,
    *life: Step,
    revision: str | None = "ours",
    services: tuple[str, ...] = (),
    timeout: float = 120,
    project: str = "applications",
    name: str = "orbit",
    **server: Any,
) -> Lived:
    """Let an application live, and wait for it; whatever it is, it is not asked too often, and not for too long."""
    time = Time()
    options = "" if "tls" in server else "--plaintext"
    with Clone(str(world.repo.clone), environment()) as clone:
        source = source_of(world.repo, clone)
        living = LivingServer(*life, now=time.now, **server)
        told: list[str] = []
        with serving(living, living.stopping):
            # Where every answer hangs, waiting long for one shows nothing; any other one has time on a busy machine.
            seconds = 60 if Hang not in life else 0.3 if all(step is Hang for step in life) else 3
            api = ArgoCD(Connection.parse(living.host, options), TOKEN, seconds=seconds)
            ours = ApplicationSource(ADDRESS, FOLDER, "main")
            find = lambda: AwaitedRelease.find(  # noqa: E731
                source, source.config.select(services), world.commits.get(revision or ""), named=bool(services)
            )
            application = ObservedApplication(api, ours, ArgoCDNames(name, project), time.sleep)
            tell = lambda _, why: told.append(why)  # noqa: E731
            try:
                ended: Any = wait(find, application, timeout=timeout, now=time.now, sleep=time.sleep, tell=tell)
            except OrbitReleaseError as error:
                ended = error
            fault = fault_of(ended) if isinstance(ended, WaitResult) else None
    assert living.violations == []
    assert all(later - earlier >= 1 for earlier, later in pairwise(living.asked))
    assert time.seconds <= timeout
    assert living.refreshes[:1] in ([], [True])
    assert all(reason != following for reason, following in pairwise(told))
    return Lived(ended, fault, living, time, told)


Script = Callable[[World], list[Step]]

LIVES: list[tuple[str, Script, type, str]] = [
    ("runs ours", lambda w: [w.at("ours")], Ready, ""),
    (
        "healthy at the old revision first",
        lambda w: [w.at("old"), w.at("old"), w.at("ours", **SEEN, images=w.images("old")),
                   w.at("ours", **RUNNING, images=w.images("old")), w.at("ours", images=w.images("old")), w.at("ours")],
        Ready, "",
    ),
    ("stays at the old revision", lambda w: [w.at("old")], Waiting, "it is at "),
    ("synced, and still runs the old image", lambda w: [w.at("ours", images=w.images("old"))], Waiting, "to run"),
    ("synced by a descendant", lambda w: [w.at("old"), w.at("docs")], Ready, ""),
    ("synced by a later release of something else", lambda w: [w.at("web")], Ready, ""),
    ("a later release of something else is not there yet", lambda w: [w.at("web", images=w.images("ours"))],
     Waiting, "orbit/web:sha-0000003 to run"),
    ("a later release replaced ours", lambda w: [w.at("old"), w.at("replaced")], Superseded, ""),
    ("a later release replaced ours before it synced", lambda w: [w.at("ours", **SEEN), w.at("replaced", **SEEN)],
     Superseded, ""),
    ("at a commit of another line", lambda w: [w.at("other")], Waiting, "does not lead there"),
    ("at a commit that nobody has", lambda w: [w.at("ours", revision="f" * 40)], Waiting, "does not lead there"),
    ("at the version of a chart", lambda w: [w.at("ours", revision="1.2.3")], Waiting, "does not lead there"),
    ("one of two sources is ours", lambda w: [w.at("ours", sources=2)], Ready, ""),
    ("its one source is in a list", lambda w: [w.at("ours", listed=True)], Ready, ""),
    ("one of two sources is ours, and old", lambda w: [w.at("old", sources=2)], Waiting, "it is at "),
    ("auto-sync is off", lambda w: [w.at("ours", **SEEN)], Waiting, "argocd app sync orbit"),
    ("reverted by hand in the cluster", lambda w: [w.at("ours", sync="OutOfSync")], Waiting, "OutOfSync"),
    ("the operation takes its time", lambda w: [*[w.at("ours", **RUNNING)] * 9, w.at("ours")], Ready, ""),
    ("the operation was only asked for", lambda w: [w.at("ours", requested=True)], Waiting, "the operation to end"),
    ("the operation was looked at before it ended", lambda w: [w.at("ours", reconciled=15), w.at("ours")], Ready, ""),
    ("nobody looks at what the operation did", lambda w: [w.at("ours", reconciled=15)], Waiting, "look at what"),
    ("retries of the old revision are stuck",
     lambda w: [w.at("ours", **{**SEEN, **RUNNING, "retries": 5, "message": "Retrying attempt #5 at 7:33PM."})],
     Waiting, "(retry 5): Retrying attempt #5 at 7:33PM."),
    ("retries of ours succeed", lambda w: [w.at("ours", **RUNNING, retries=2), w.at("ours", retries=2)], Ready, ""),
    ("retries of ours are used up",
     lambda w: [w.at("ours", **RUNNING, retries=4),
                w.at("ours", phase="Failed", message="one or more tasks failed (retried 5 times).", retries=5)],
     Failed, "Argo CD: one or more tasks failed (retried 5 times).\norbit-release rollback api"),
    ("a hook fails",
     lambda w: [w.at("old"), w.at("ours", phase="Failed", results=(FAILED_HOOK,))],
     Failed, "Job/migrate: Job has reached the specified backoff limit\norbit-release rollback api"),
    ("a resource is refused", lambda w: [w.at("ours", phase="Failed", results=(DENIED_RESOURCE,))],
     Failed, "ConfigMap/settings: admission webhook denied the request\norbit-release rollback api"),
    ("an operation of a descendant fails", lambda w: [w.at("web", phase="Error", message="no such cluster")],
     Failed, "no such cluster"),
    ("a hook is tried again and succeeds",
     lambda w: [w.at("old"), *[w.at("ours", **RUNNING, health=HOOK_ILL, hooks=("Job/migrate",))] * 3, w.at("ours")],
     Ready, ""),
    ("somebody tried a sync without doing it, and it failed", lambda w: [w.at("ours", phase="Failed", dry_run=True)],
     Ready, ""),
    ("what failed before ours was never applied, and ours needs no sync",
     lambda w: [w.at("ours", operated="old", phase="Failed", message="one or more tasks failed")], Ready, ""),
    ("an operation at no revision failed", lambda w: [w.at("ours", operated="", phase="Failed", ran=True)],
     Waiting, "an operation that succeeds"),
    ("an operation on another line failed", lambda w: [w.at("ours", operated="other", phase="Failed")],
     Waiting, "an operation that succeeds"),
    ("the operation before ours failed",
     lambda w: [w.at("old", phase="Failed"), w.at("ours", **{**SEEN, "phase": "Failed"}), w.at("ours")], Ready, ""),
    ("turns Degraded", lambda w: [w.at("old"), w.ill("ours")], Failed, f"{ILL[1]}\norbit-release rollback api"),
    ("Degraded when first seen, since our operation", lambda w: [w.ill("ours")], Failed, "Deployment/api"),
    ("a database turns Degraded",
     lambda w: [w.at("old"), w.at("ours", health={"StatefulSet/db": ("Degraded", "no disk")}, since=25)],
     Failed, "StatefulSet/db: no disk\nno release is to blame: argocd app get orbit"),
    ("a database turns Degraded with ours",
     lambda w: [w.at("old"), w.ill("ours", health={"Deployment/api": ILL, "Alert/db": ("Degraded", "no disk")})],
     Failed, "Alert/db is Degraded as well, look at that first; orbit-release rollback api"),
    ("a service that was not released turns Degraded",
     lambda w: [w.at("old"), w.at("ours", health={"Deployment/web": ILL}, since=25)],
     Failed, "no release is to blame"),
    ("a service that was released after ours turns Degraded",
     lambda w: [w.at("old"), w.at("web", health={"Deployment/web": ILL}, since=25)],
     Failed, "orbit-release rollback web"),
    ("Degraded for one look", lambda w: [w.at("old"), w.ill("ours"), w.at("ours")], Ready, ""),
    ("Degraded before ours, then healthy again",
     lambda w: [w.ill("old"), w.ill("ours", **SEEN), w.ill("ours"), w.ill("ours"), w.at("ours")], Ready, ""),
    ("Degraded before ours, and stays", lambda w: [w.ill("old", since=0), w.ill("ours", since=0)], Waiting, "Degraded"),
    ("Degraded before ours, when first seen", lambda w: [w.ill("ours", since=5)], Waiting, "Degraded"),
    ("Degraded before ours, and on its way between",
     lambda w: [w.ill("old", since=0), w.at("ours", health=ON_ITS_WAY), w.ill("ours"), w.ill("ours")],
     Waiting, "Degraded"),
    ("turns Degraded while Argo CD cannot compare",
     lambda w: [w.at("old"), w.at("ours", health=ON_ITS_WAY),
                w.ill("ours", revision="", sync="Unknown", errors=FLAKE), w.ill("ours")],
     Failed, "Deployment/api"),
    ("turns Degraded, and Argo CD cannot compare any more",
     lambda w: [w.at("old"), w.at("ours", health=ON_ITS_WAY),
                *[w.ill("ours", revision="", sync="Unknown", errors=FLAKE)] * 2],
     Failed, "Deployment/api"),
    ("turns Degraded, and somebody tries a sync without doing it",
     lambda w: [w.at("old"), w.at("ours", health=ON_ITS_WAY),
                *[w.ill("ours", sync="OutOfSync", phase="Failed", dry_run=True)] * 2],
     Failed, "Deployment/api"),
    ("is Degraded at an older revision that somebody synced, and then at ours",
     lambda w: [w.at("ours", health=ON_ITS_WAY), w.ill("old"), w.ill("ours"), w.ill("ours")], Waiting, "Degraded"),
    ("Degraded when first seen, since an operation before ours", lambda w: [w.ill("ours", operated="old")],
     Waiting, "Degraded"),
    ("Degraded when first seen, since the second in which ours began", lambda w: [w.ill("ours", since=10)],
     Waiting, "Degraded"),
    ("Degraded before ours, without a word on what, and then another one",
     lambda w: [w.at("old", bare="Degraded"), w.ill("ours", health=DB_ILL),
                *[w.ill("ours", health={**DB_ILL, "Deployment/api": ILL})] * 2],
     Failed, "Deployment/api"),
    ("an operation fails without a word on what",
     lambda w: [w.ill("ours", phase="Failed", message="one or more tasks completed unsuccessfully")],
     Failed, "Deployment/api: Deployment"),
    ("Degraded before ours, and answers without healths between",
     lambda w: [w.ill("old", since=0), w.ill("ours", since=0), *[w.at("ours", bare="Degraded")] * 2,
                w.ill("ours", since=0)],
     Waiting, "Degraded"),
    ("Degraded before ours, and an answer that knows nothing between",
     lambda w: [w.ill("old", since=0), w.ill("ours", since=0), w.at("ours", bare="Unknown"), w.ill("ours", since=0)],
     Waiting, "Degraded"),
    ("what Argo CD was told to ignore is Degraded",
     lambda w: [w.at("old"), *[w.at("ours", **RUNNING, health=FLAKY, ignored=("Deployment/flaky",))] * 3,
                w.at("ours", health=FLAKY, ignored=("Deployment/flaky",))], Ready, ""),
    ("an autoscaler has no figures yet",
     lambda w: [w.at("old"), *[w.at("ours", health=NO_FIGURES, since=25)] * 15, w.at("ours")], Ready, ""),
    ("an autoscaler has no figures, and then ours turns Degraded",
     lambda w: [w.at("old"), *[w.at("ours", health=NO_FIGURES, since=25)] * 3,
                w.ill("ours", health={**NO_FIGURES, "Deployment/api": ILL})],
     Failed, "Deployment/api: Deployment"),
    ("two turn Degraded, one after the other",
     lambda w: [w.at("old"), w.ill("web"), w.ill("web", health=BOTH_ILL), w.ill("web", health=BOTH_ILL)],
     Failed, "Deployment/api"),
    ("cannot be compared", lambda w: [*[w.unread(BROKEN, 30)] * 10, w.unread(BROKEN, 50)],
     Failed, "kustomize build failed\norbit-release rollback api"),
    ("cannot be compared, and the branch is named instead of a commit",
     lambda w: [w.at("old"), *[w.unread(BROKEN, 30, "main")] * 10, w.unread(BROKEN, 50, "main")],
     Failed, "kustomize build failed\norbit-release rollback api"),
    ("the cluster cannot be reached",
     lambda w: [w.at("old"), *[w.at("ours", sync="Unknown", errors=NO_CLUSTER)] * 10,
                w.at("ours", sync="Unknown", errors=NO_CLUSTER, reconciled=50)],
     Waiting, "i/o timeout"),
    ("Argo CD's repository server does not come back",
     lambda w: [w.at("old"), *[w.unread(FLAKE, 30)] * 10, w.unread(FLAKE, 50)],
     Waiting, "code = Unavailable"),
    ("Argo CD's cache is away",
     lambda w: [w.at("old"), *[w.unread(NO_CACHE, 30)] * 10, w.unread(NO_CACHE, 50), w.at("ours")], Ready, ""),
    ("could not be compared for a moment", lambda w: [w.unread(FLAKE, 30), w.at("ours", reconciled=32)], Ready, ""),
    ("could not be compared for ten seconds",
     lambda w: [w.at("old"), *[w.unread(FLAKE, second) for second in range(30, 40, 2)], w.at("ours", reconciled=42)],
     Ready, ""),
    ("cannot be compared, and nobody looks again", lambda w: [w.unread(BROKEN, 30)], Waiting, "kustomize build failed"),
    ("is not permitted where it should go",
     lambda w: [w.at("old", sync="Unknown", errors={"InvalidSpecError": "destination is not permitted"})],
     Waiting, "destination is not permitted"),
    ("the server restarts, and then denies access for a moment",
     lambda w: [w.at("old"), Cut, BAD_GATEWAY, DENIED, Cut, PAGE, w.at("ours")], Ready, ""),
    ("access is denied once", lambda w: [w.at("old"), DENIED, DENIED, w.at("ours")], Ready, ""),
    ("a page of maintenance is shown for a moment", lambda w: [w.at("old"), PAGE, w.at("ours")], Ready, ""),
    ("is late with what was released", lambda w: [w.at("ours", health={"Deployment/api": ("Progressing", "1 of 3")})],
     Waiting, "or take it back: orbit-release rollback api"),
    ("the token expires in the middle", lambda w: [w.at("old"), EXPIRED], AccessError, "token is expired"),
    ("access is taken away in the middle", lambda w: [w.at("old"), DENIED], AccessError, "permission denied"),
    ("is deleted in the middle", lambda w: [w.at("old"), GONE], NotFoundError, "not found"),
    ("redirects to a login page", lambda _: [LOGIN], AccessError, "login page at login.example.com"),
    ("wants https", lambda _: [TO_HTTPS], UnusableError, "wants https"),
    ("is something else", lambda _: [PAGE], UnusableError, "is it Argo CD?"),
    ("says something odd", lambda _: [Reply.of(200, {"metadata": {"name": "orbit"}, "spec": {}, "status": []})],
     UnusableError, "status is no mapping"),
    ("the server restarts",
     lambda w: [w.at("old"), Cut, BAD_GATEWAY, BUSY, NO_BACKEND, w.at("ours")], Ready, ""),
    ("the server restarts at the beginning", lambda w: [Cut, Cut, w.at("ours")], Ready, ""),
    ("the refresh fails", lambda w: [REFRESH_FAILED, w.at("ours")], Ready, ""),
    ("the server is busy", lambda w: [TOO_MANY, TOO_MANY, w.at("ours")], Ready, ""),
    ("the server is slow", lambda w: [Hang, w.at("old"), Hang, w.at("ours")], Ready, ""),
    ("the server never comes back", lambda w: [w.at("old"), Cut], Waiting, "an answer: "),
    ("the server never answers", lambda _: [Hang], Waiting, "does not answer"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "outcome", "said"), [life[1:] for life in LIVES], ids=[life[0] for life in LIVES])
def test_every_life_has_its_answer(world: World, script: Script, outcome: type, said: str) -> None:
    life = script(world)
    lived = live(world, *life, timeout=120)
    assert (lived.outcome, said in lived.message) == (outcome, True), (lived.ended, lived.message)
    if outcome is Waiting:
        assert lived.time.seconds > 119
        name = "orbit" if isinstance(lived.ended, WaitResult) and lived.ended.look else "Argo CD"
        assert lived.message.startswith(f"timed out after 120 s: {name} still waits for ")
    if outcome in (Ready, Superseded, Failed):
        assert len(lived.server.asked) >= len(life)  # the answer came with the last stage, and not before


def test_a_missing_application_is_denied_unless_its_project_is_known(world: World) -> None:
    other: dict[str, Any] = {"name": "other"}
    assert "no such application" in live(world, world.at("ours"), project="", **other).message
    lived = live(world, world.at("ours"), **other)
    assert (lived.outcome, 'applications.argoproj.io "other" not found' in lived.message) == (NotFoundError, True)


def test_a_certificate_that_signs_itself_is_not_trusted(world: World, tmp_path: Path) -> None:
    lived = live(world, world.at("ours"), tls=server_context(certificate_file(tmp_path, "localhost")))
    assert (lived.outcome, "its certificate is not trusted" in lived.message) == (UnusableError, True)
    assert lived.time.seconds == 0


def test_what_is_waited_for_is_told_once_per_change(world: World) -> None:
    lived = live(world, *[world.at("old")] * 3, *[world.at("ours", **RUNNING)] * 3, world.at("ours"))
    old = world.commits["old"][:7]
    assert lived.told == [
        f"Argo CD to see the revision: it is at {old}",
        "the operation to end: waiting for completion of hook",
    ]


def test_it_asks_every_two_seconds_and_less_often_where_nobody_answers(world: World) -> None:
    lived = live(world, *[world.at("old")] * 3, world.at("ours"))
    assert lived.time.pauses == [2, 2, 2]
    lived = live(world, world.at("old"), *[Cut] * 5, world.at("old"), world.at("ours"))
    assert lived.time.pauses == [2, 4, 8, 16, 30, 30, 2]


def test_it_refreshes_once_and_again_only_where_the_comparison_keeps_failing(world: World) -> None:
    assert live(world, *[world.at("old")] * 3, world.at("ours")).server.refreshes == [True, False, False, False]
    assert live(world, Cut, Cut, Cut, world.at("ours")).server.refreshes == [True, True, False, False]
    unread = [*[world.unread(FLAKE, 30)] * 12, world.at("ours")]
    assert live(world, *unread).server.refreshes == [True, *[False] * 9, True, False, False]


@pytest.mark.parametrize("timeout", [1, 2, 3, 4, 5, 29, 30, 31.5])
def test_it_ends_with_its_time_and_looks_once_more_before(world: World, timeout: float) -> None:
    for life in ([world.at("old")], [Cut]):
        lived = live(world, *life, timeout=timeout)
        assert lived.time.seconds == timeout
        assert timeout - lived.server.asked[-1] <= 3


def test_only_the_images_of_the_named_services_are_looked_at(world: World) -> None:
    half = world.at("web", images=world.images("ours"))
    assert live(world, half, services=("api", "worker")).outcome is Ready
    assert live(world, half, services=("web",), revision="web").outcome is Waiting


def test_a_release_that_is_partly_replaced_is_waited_for(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.commits["both"] = world.repo.deploy(web="sha-0000007", api="sha-0000007")
    world.commits["half"] = world.repo.deploy(web="sha-0000008")
    lived = live(world, world.at("half", images=world.images("both")), world.at("half"), revision="both")
    assert (lived.outcome, len(lived.told)) == (Ready, 1)
    failed = live(world, world.at("both", phase="Failed"), revision="both")
    assert failed.message.endswith("\norbit-release rollback web && orbit-release rollback api")


def test_the_newest_commit_of_the_manifests_is_waited_for_by_default(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.repo.push("more docs", {"README.md": "read me, please"})
    assert live(world, world.at("web"), revision=None).outcome is Waiting
    assert live(world, world.at("replaced"), revision=None).outcome is Ready


def test_what_replaced_ours_is_named(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.commits["later"] = world.repo.deploy(web="sha-0000009")
    lived = live(world, world.at("later"))
    assert lived.outcome is Superseded
    assert isinstance(lived.ended, WaitResult)
    assert lived.ended.verdict == Superseded(world.commits["replaced"])


def test_a_digest_beside_the_same_tag_replaces_nothing(tmp_path: Path) -> None:
    world = build(tmp_path)
    text = MANIFEST.format(name="api", host=NOBODY, tag="sha-0000009")
    pinned = text.replace("sha-0000009", f"sha-0000009@sha256:{'a' * 64}")
    world.commits["tagged"] = world.repo.push("tagged", {f"{FOLDER}/api.yaml": text})
    world.commits["pinned"] = world.repo.push("pinned", {f"{FOLDER}/api.yaml": pinned})
    assert live(world, world.at("pinned"), revision="tagged").outcome is Ready


def test_the_command_takes_back_no_more_than_what_is_to_blame(tmp_path: Path) -> None:
    world = build(tmp_path)
    more = f"        - name: web\n          image: {NOBODY}/orbit/web:sha-000000c\n"
    both = MANIFEST.format(name="api", host=NOBODY, tag="sha-000000c") + more
    other = MANIFEST.format(name="worker", host=NOBODY, tag="sha-000000c")
    files = {f"{FOLDER}/api.yaml": both, f"{FOLDER}/worker.yaml": other}
    world.commits["shared"] = world.repo.push("shared", dict(files))
    lived = live(world, world.at("replaced"), world.ill("shared"), revision="shared")
    assert lived.message.endswith("\norbit-release rollback web && orbit-release rollback api")


def test_a_commit_that_brought_no_image_is_not_to_blame(tmp_path: Path) -> None:
    world = build(tmp_path)
    text = world.repo.at_origin(f"{FOLDER}/api.yaml") + "          env: [{name: A, value: b}]\n"
    world.commits["settings"] = world.repo.push("settings", {f"{FOLDER}/api.yaml": text})
    lived = live(world, world.at("settings", phase="Failed", results=(DENIED_RESOURCE,)), revision="settings")
    assert lived.message.endswith("\nno release is to blame: argocd app get orbit says more.")


def test_git_is_waited_for_no_longer_than_anything_else(tmp_path: Path) -> None:
    world, fifo = build(tmp_path), tmp_path / "fifo"
    os.mkfifo(fifo)
    script = tmp_path / "upload-pack"
    script.write_text(f"#!/bin/sh\necho $$ >{fifo}\nexec sleep 600\n")
    script.chmod(0o755)
    world.repo.git("config", "remote.origin.uploadpack", str(script))
    known = {"ARGOCD_SERVER": "127.0.0.1:9", "ARGOCD_AUTH_TOKEN": TOKEN}
    command = [sys.executable, "-m", "orbit_release", "wait", "--timeout", "1s"]
    with subprocess.Popen(
        command, cwd=world.repo.clone, env=environment(**known), stderr=subprocess.PIPE, text=True
    ) as process:
        hanging = int(fifo.read_text())
        assert process.wait(600) == 11
        os.kill(hanging, signal.SIGTERM)
        _, told = process.communicate(timeout=600)
    assert "timed out after 1 s: git still fetches" in told


def test_a_kustomization_puts_workloads_to_sleep(tmp_path: Path) -> None:
    world = build(tmp_path)
    text = "resources: [api.yaml, web.yaml, worker.yaml]\nreplicas:\n  - {name: worker, count: 0}\n"
    world.commits["asleep"] = world.repo.push("asleep", {f"{FOLDER}/kustomization.yaml": text})
    images = tuple(image for image in world.images("asleep") if "/worker:" not in image)
    assert live(world, world.at("asleep", images=images), revision="asleep").outcome is Ready


def test_a_revision_that_the_clone_does_not_have_is_fetched(tmp_path: Path) -> None:
    world = build(tmp_path)
    git(tmp_path, "clone", "-q", str(world.repo.origin), str(tmp_path / "elsewhere"))
    elsewhere = replace(world.repo, clone=tmp_path / "elsewhere")
    newer = elsewhere.commit("newer", {"README.md": "read me again"})
    stage = world.at("replaced", revision=newer, operated=newer)

    def pushed() -> None:
        elsewhere.git("push", "-q", "origin", "HEAD:main")

    lived = live(world, stage, pushed, stage, revision="replaced")
    assert (lived.outcome, lived.told) == (
        Ready,
        [f"Argo CD to see the revision: it is at {newer[:7]}, which does not lead there"],
    )
    assert world.repo.git("cat-file", "-t", newer) == "commit"


def test_workloads_without_pods_need_none(tmp_path: Path) -> None:
    world = build(tmp_path)
    asleep = MANIFEST.format(name="api", host=NOBODY, tag="sha-0000009").replace("spec:\n", "spec:\n  replicas: 0\n", 1)
    job = f"spec: {{template: {{spec: {{containers: [{{name: a, image: '{NOBODY}/orbit/worker:sha-0000009'}}]}}}}}}"
    nightly = f"kind: CronJob\nmetadata: {{name: worker}}\nspec: {{jobTemplate: {{{job}}}}}\n"
    files = {f"{FOLDER}/api.yaml": asleep, f"{FOLDER}/worker.yaml": nightly}
    world.commits["asleep"] = world.repo.push("asleep", dict(files))
    web = tuple(image for image in world.images("replaced") if "/web:" in image)
    assert live(world, world.at("asleep", images=web), revision="asleep").outcome is Ready
    assert live(world, world.at("asleep", images=()), revision="asleep").outcome is Waiting


def test_a_kustomization_says_which_image_runs(tmp_path: Path) -> None:
    world = build(tmp_path)
    text = f"images:\n  - name: {NOBODY}/orbit/api\n    newTag: sha-0000009\n"
    world.commits["kustomized"] = world.repo.push("kustomize", {f"{FOLDER}/kustomization.yaml": text})
    before = world.images("kustomized")
    after = tuple(f"{NOBODY}/orbit/api:sha-0000009" if "/api:" in image else image for image in before)
    assert live(world, world.at("kustomized", images=before), revision="kustomized").outcome is Waiting
    assert live(world, world.at("kustomized", images=after), revision="kustomized").outcome is Ready


def test_a_service_that_no_manifest_names_is_not_found(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.commits["none"] = world.repo.push("away", {f"{FOLDER}/worker.yaml": None})
    lived = live(world, world.at("replaced"), services=("worker",), revision="none")
    assert (lived.outcome, "/worker at " in lived.message) == (NotFoundError, True)
    stage = world.at("replaced", revision="none", operated="none")
    assert live(world, stage, revision="none").outcome is Ready


# The command


def test_ready_is_told_as_a_table(world: World, serve: Serve) -> None:
    ran = world.repo.run("wait", "--revision", world.ours, **serve(world.at("docs")))
    assert (ran.code, ran.out.splitlines()) == (
        0,
        [
            "SERVICE  TAG          STATE",
            "web      sha-0000001  running",
            "api      sha-0000002  running",
            "worker   sha-0000001  running",
        ],
    )
    there = f"orbit runs {world.ours[:7]}, by its descendant {world.commits['docs'][:7]}, after"
    assert re.fullmatch(rf"{there} [0-9]+ s\n", ran.err)


def test_every_outcome_is_a_document(world: World, serve: Serve) -> None:
    def ran(expected: int, *life: Step, timeout: str = "10m") -> dict[str, Any]:
        arguments = ("wait", "--revision", world.ours, "--format", "json", "--timeout", timeout)
        done = world.repo.run(*arguments, **serve(*life))
        assert done.code == expected, done.err
        return document(done, "wait")

    ready = ran(0, world.at("ours"))
    assert (ready["outcome"], ready["seen"]["revision"], ready["rollback"]) == ("ready", world.ours, None)
    superseded = ran(0, world.at("replaced"))
    assert (superseded["outcome"], superseded["superseded_by"]) == ("superseded", world.commits["replaced"])
    failed = ran(10, world.at("ours", phase="Failed", results=(FAILED_HOOK,)))
    assert (failed["outcome"], failed["resource"]) == ("failed", "Job/migrate")
    assert (failed["message"], failed["rollback"]) == (FAILED_HOOK["message"], "orbit-release rollback api")
    late = ran(11, world.at("ours", images=world.images("old")), timeout="1s")
    assert (late["outcome"], [image["state"] for image in late["images"]]) == (
        "timed out",
        ["running", "missing", "running"],
    )
    silent = ran(11, Hang, timeout="1s")
    assert (silent["seen"], silent["seconds"]) == (None, 1)


def test_an_error_names_the_command_that_takes_the_release_back(world: World, serve: Serve) -> None:
    refused = world.at("ours", phase="Failed", results=(DENIED_RESOURCE,))
    ran = world.repo.run("wait", "--revision", world.ours, **serve(refused))
    assert ran.code == 10
    assert ran.err.splitlines()[-2:] == [
        f"error: orbit does not run {world.ours[:7]}: ConfigMap/settings: {DENIED_RESOURCE['message']}",
        "hint: orbit-release rollback api",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--timeout", "soon"), 2, "'soon' is no length of time"),
        (("nope",), 2, "no service is called 'nope'"),
        (("--revision", "nope"), 5, "nope is no commit of this repository"),
        (("--server", "a b"), 2, "is no server's address"),
    ],
)
def test_what_is_no_command(world: World, serve: Serve, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = world.repo.run("wait", *arguments, **serve(world.at("replaced")))
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_without_a_server_or_a_token_it_says_what_to_set(world: World, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"ARGOCD_SERVER": "", "ARGOCD_AUTH_TOKEN": "", "ARGOCD_OPTS": "", "HOME": str(tmp_path)}
    ran = world.repo.run("wait", **nothing)
    assert (ran.code, "Argo CD's server is not known" in ran.err) == (2, True)
    ran = world.repo.run("wait", "--server", "argocd.example.com", **nothing)
    assert (ran.code, "needs a token" in ran.err) == (8, True)


def test_the_login_of_argocd_is_taken_and_its_token_goes_nowhere_else(
    world: World, serve: Serve, tmp_path: Path
) -> None:
    known = serve(world.at("replaced"))
    host = known["ARGOCD_SERVER"]
    login = {
        "current-context": host,
        "contexts": [{"name": host, "server": host, "user": host}],
        "servers": [{"server": host, "plain-text": True, "grpc-web-root-path": ""}],
        "users": [{"name": host, "auth-token": TOKEN}],
    }
    folder = tmp_path / ".config" / "argocd"
    folder.mkdir(parents=True)
    (folder / "config").write_text(json.dumps(login))
    own: dict[str, Any] = {
        "ARGOCD_SERVER": "",
        "ARGOCD_AUTH_TOKEN": "",
        "ARGOCD_OPTS": "",
        "XDG_CONFIG_HOME": "",
        "HOME": str(tmp_path),
    }
    assert world.repo.run("wait", **own).code == 0
    assert world.repo.run("wait", "--server", host, **own).code == 0
    elsewhere = world.repo.run("wait", "--server", "argocd.example.com", **own)
    assert (elsewhere.code, "needs a token" in elsewhere.err) == (8, True)
    (folder / "config").write_text("a: [")
    assert world.repo.run("wait", **own).code == 3


def test_an_application_is_found_by_what_it_syncs(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    world.repo.push("no names", {"orbit-release.yaml": CONFIG.format(host=NOBODY)})
    known = {**serve(world.at("replaced")), "GITHUB_SERVER_URL": "https://github.com"}
    assert world.repo.run("wait", **known, GITHUB_REPOSITORY="octo/orbit").code == 0
    late = world.repo.run("wait", "--timeout", "1s", **known | {"ARGOCD_SERVER": "127.0.0.1:9"})
    assert (late.code, "Argo CD still waits for an answer" in late.err) == (11, True)
    ran = world.repo.run("wait", **known, GITHUB_REPOSITORY="octo/other")
    assert (ran.code, "set `argocd.application`" in ran.err) == (3, True)


def test_it_is_found_in_any_namespace_and_asked_no_more_than_once_a_second(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.repo.push("no names", {"orbit-release.yaml": CONFIG.format(host=NOBODY)})
    server = LivingServer(world.at("replaced"), now=monotonic)
    server.namespace = "teams"
    with serving(server, server.stopping):
        known: dict[str, Any] = {"ARGOCD_SERVER": server.host, "ARGOCD_AUTH_TOKEN": TOKEN}
        about: dict[str, Any] = {"ARGOCD_OPTS": "--plaintext", "GITHUB_SERVER_URL": "https://github.com"}
        ran = world.repo.run("wait", **known, **about, GITHUB_REPOSITORY="octo/orbit")
    assert (ran.code, server.violations) == (0, []), ran.err
    assert len(server.asked) == 2
    assert server.asked[1] - server.asked[0] >= 1


# With bump and rollback


RELEASES = [("bump", "api", "sha-0000009"), ("rollback", "api"), ("bump", "api", "sha-0000003")]


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Failed", 10)])
@pytest.mark.parametrize("command", RELEASES, ids=["bump", "rollback", "nothing to do"])
def test_a_release_is_waited_for_once_it_is_published(
    tmp_path: Path, serve: Serve, command: tuple[str, ...], phase: str, code: int
) -> None:
    world = build(tmp_path)
    known = serve(lambda: synced(world, phase=phase))
    options = ("--allow-unmerged",) if command[0] == "bump" else ()
    ran = world.repo.run(*command, *options, "--no-verify", "--wait", **known)
    assert ran.code == code, ran.err
    commit = world.commits["released"][:7]
    said = f"orbit runs {commit}, after " if code == 0 else f"error: orbit does not run {commit}: "
    assert said in ran.err


def test_with_json_there_is_one_document(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    ran = world.repo.run("rollback", "api", "--no-verify", "--wait", "--format", "json", **serve(lambda: synced(world)))
    assert document(ran, "bump")["commit"] == world.commits["released"]


def test_nothing_is_published_that_cannot_be_waited_for(world: World, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"ARGOCD_SERVER": "", "ARGOCD_OPTS": "", "HOME": str(tmp_path)}
    before = git(world.repo.origin, "rev-parse", "main")
    assert world.repo.run("rollback", "api", "--no-verify", "--wait", **nothing).code == 2
    assert world.repo.run("rollback", "api", "--no-verify", "--wait", "--no-push", **nothing).code == 2
    assert world.repo.run("rollback", "api", "--no-verify", "--wait", "--timeout", "soon", **nothing).code == 2
    assert git(world.repo.origin, "rev-parse", "main") == before
    assert world.repo.run("rollback", "api", "--no-verify", "--wait", "--dry-run", **nothing).code == 0


def test_a_terminal_shows_one_live_line_and_foreign_text_moves_no_cursor(world: World, serve: Serve) -> None:
    running = world.at("ours", **{**RUNNING, "message": "\x1b[2J hook"})
    known = serve(running, world.at("ours"))
    told = terminal(world.repo, "wait", "--revision", world.ours, **known, COLUMNS="200").out
    assert "orbit waits for the operation to end: \ufffd[2J hook" in told
    assert f"orbit runs {world.ours[:7]}, after " in told.splitlines()[-1]


def test_ctrl_c_ends_it_at_once(world: World) -> None:
    asked = Event()
    server = LivingServer(asked.set, Hang)
    with serving(server, server.stopping):
        known = {"ARGOCD_SERVER": server.host, "ARGOCD_AUTH_TOKEN": TOKEN, "ARGOCD_OPTS": "--plaintext"}
        command = [sys.executable, "-m", "orbit_release", "wait"]
        with subprocess.Popen(
            command, cwd=world.repo.clone, env=environment(**known), stderr=subprocess.PIPE, text=True
        ) as process:
            assert asked.wait(600)
            begun = monotonic()  # its question itself would end after fifteen seconds
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=600)
            assert (process.returncode, told.strip(), monotonic() - begun < 1) == (130, "interrupted", True)
