"""Histories as `explain` returns them, and a page of seven services over twelve weeks."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from orbit_release.flows.status import Status
from orbit_release.git.graph import Commit
from orbit_release.globs import Globs
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.planning.actions import Action
from orbit_release.releases.timeline import Stretch
from orbit_release.report.dora_figures import figures
from orbit_release.report.page import Page
from orbit_release.service import BuildSettings, Service

ADDRESS = "https://github.com/drewpayment/orbit"
HOUR, DAY = 60 * 60, 24 * 60 * 60
NOW = 1_795_000_000  # 2026-11-18 11:06:40 UTC
NAMES = (
    "orbit-www",
    "repository-service",
    "build-service",
    "bifrost",
    "kafka-service",
    "plugins-service",
    "temporal-worker",
)
_SUBJECTS = (
    "Retry a fetch that the proxy cut off",
    "Show the owner of a repository in the catalogue",
    "Bound the queue, so that a slow consumer cannot fill the memory",
    "Fix the time zone of scheduled builds",
    "Close idle connections after a minute",
    "Add pagination to the list of plugins (#412)",
    "Log the topic that a message was refused by",
    "Update dependencies",
)
_AUTHORS = ("Mara Lindqvist", "Drew Payment", "Tomás Ó Briain", "github-actions[bot]")


def commit(text: str, time: int = NOW, subject: str = "", author: str = "Mara Lindqvist") -> Commit:
    """Return a commit whose name is made of a text."""
    return Commit(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), (), time, author, subject or text)


def reference(tag: str, service: str = "bifrost") -> ImageReference:
    """Return a service's image by its tag."""
    return ImageReference(Repository(f"ghcr.io/acme/{service}"), Tag(tag))


def history(*steps: Stretch) -> tuple[Stretch, ...]:
    """Return steps with what they replaced and what replaced them, as a replay would."""
    linked = []
    for place, step in enumerate(steps):
        before = steps[place - 1].reference if place else None
        until = steps[place + 1].since if place + 1 < len(steps) else None
        linked.append(replace(step, before=before, until=until))
    return tuple(linked)


def service(name: str) -> Service:
    """Return a service that is built from a folder of its name."""
    settings = BuildSettings(".", f"{name}/Dockerfile")
    return Service(name, Repository(f"ghcr.io/acme/{name}"), Globs((f"{name}/**",)), settings)


def status(name: str = "bifrost", action: Action = Action.CURRENT, reason: str = "", **more: Any) -> Status:
    """Return how a service stands."""
    return replace(Status(service(name), action, reason), **more)


def page(statuses: Sequence[Status] = (), histories: dict[str, tuple[Stretch, ...]] | None = None, **more: Any) -> Page:
    """Return a page with the four figures of its histories."""
    found = histories or {}
    made = Page(ADDRESS, "main", commit("tip").name, NOW, statuses, found, figures(found, NOW))
    return replace(made, **more)


def orbit(hostile: str = "") -> Page:
    """Return Orbit after twelve weeks, with a service held, one behind and one without its image.

    `hostile` is a subject, and an author, among what came in last.
    """
    chance = random.Random(5)  # noqa: S311
    histories = {name: _history(name, chance) for name in NAMES}
    if hostile:
        *older, last = histories["orbit-www"]
        mean = commit("hostile", last.since.time - HOUR, hostile, hostile)
        histories["orbit-www"] = (*older, replace(last, commits=(mean, *last.commits)))
    digest = Digest("sha256:" + hashlib.sha256(b"image").hexdigest())
    known: dict[str, dict[str, Any]] = {
        name: {"deployed": found[-1], "digest": digest} for name, found in histories.items()
    }
    statuses = [
        status(name, reason=f"no input changed since {found[-1].reference.version}", **known[name])
        for name, found in histories.items()
    ]
    since = histories["build-service"][-1].reference.version
    files = f"services/build-service/cmd/queue.go and 3 more changed since {since}"
    statuses[2] = replace(statuses[2], action=Action.BUILD, reason=files, behind=3, target=Tag("sha-5d6e7f8"))
    statuses[2] = replace(statuses[2], pull_request=f"{ADDRESS}/pull/431")
    held = "crash loop since " + histories["bifrost"][-2].reference.version
    statuses[3] = replace(statuses[3], action=Action.HELD, reason=f"held: {held}", hold=held)
    statuses[4] = replace(statuses[4], digest=None, missing=True)
    return page(statuses, histories)


def _history(name: str, chance: random.Random) -> tuple[Stretch, ...]:
    place = NAMES.index(name)
    times = sorted(NOW - chance.randrange(2 * HOUR, 82 * DAY) for _ in range(7 + place % 4))
    steps = [_step(name, number, time, chance) for number, time in enumerate([NOW - 90 * DAY, *times])]
    if place in (0, 3, 5):
        steps.append(_back(steps[-1], steps[-2], (20 + 30 * place) * 60))
    if name == "repository-service":
        steps.insert(4, _back(steps[3], steps[2], 47 * 60))
    return history(*sorted(steps, key=lambda one: one.since.time))


def _step(name: str, number: int, time: int, chance: random.Random) -> Stretch:
    commits = tuple(
        commit(f"{name} {number} {one}", time - chance.randrange(HOUR, 40 * HOUR), chance.choice(_SUBJECTS))
        for one in range(chance.randrange(1, 6) if number else 0)
    )
    base, head = (commit(f"{name} {one}").name for one in (number - 1, number))
    release = commit(f"release {name} {number}", time, author=chance.choice(_AUTHORS))
    return Stretch(reference(f"sha-{head[:7]}", name), release, base=base, head=head, commits=commits)


def _back(bad: Stretch, good: Stretch, seconds: int) -> Stretch:
    time = min(bad.since.time + seconds, NOW - 60)
    since = commit(f"rollback {bad.reference.version}", time)
    return Stretch(good.reference, since, is_rollback=True, base=bad.head, head=bad.base, commits=bad.commits)
