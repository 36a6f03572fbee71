"""Publish to a branch that others move as well: whoever is overtaken works the release out again on the new tip."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from orbit_release.errors import ConflictError
from orbit_release.flows.own_commits import Way, ways
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Repository
from orbit_release.manifests.mark import is_hold
from orbit_release.manifests.rewrite import Edit, NewImage
from orbit_release.releases.messages import Notes, Step, steps_of
from orbit_release.releases.release import Release, plan_release

T = TypeVar("T")

_ATTEMPTS = 40
_LONGEST_PAUSE = 2.0  # seconds
_MOST_SUBJECTS = 20


class OvertakenError(Exception):
    """The branch has moved on from the tip that a release was worked out for: try again."""


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a release went: its commit, and the pull request that carries it (None: it is on the branch).

    `is_newer`: the pull request proposes something newer already, and was left as it is.
    """

    commit: str
    pull_request: str | None = None
    is_newer: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of a pull request that a run has nothing to add to."""

    url: str
    is_closed: bool


# Puts a release where it goes; OvertakenError if the branch has moved on from the tip meanwhile.
Put = Callable[[Tip, Release, Notes], Landed]


@dataclass(frozen=True, slots=True)
class Publishing:
    """How a release is published: by what, on the clone's own branch or the remote's, and what it says of itself.

    `subject` takes the place of the commit's own; `address` is the monorepo's web address, or "". `review` sees each
    release before it is put, and may raise an error to stop it. `withdraw` takes back what is proposed where there is
    nothing to release, unless it is newer than a commit.
    """

    put: Put
    local: bool = False
    subject: str = ""
    address: str = ""
    review: Callable[[Release, Notes], None] = lambda _release, _notes: None
    withdraw: Callable[[str | None], Withdrawal | None] = lambda _known: None


@dataclass(frozen=True, slots=True)
class Published:
    release: Release
    notes: Notes
    landed: Landed
    tip: Tip


def publish_until_landed(
    source: Source, publishing: Publishing, attempt: Callable[[Tip], T], *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Attempt to publish on a fresh tip each time that somebody was faster; ConflictError when that never ends."""
    git, branch = source.git, source.config.branch
    git.deepen()  # in a shallow clone no question about ancestors has an answer
    for count in range(_ATTEMPTS):
        if count:
            sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**count)))  # noqa: S311  (jitter, not a secret)
        tip = git.local_tip(branch) if publishing.local else git.tip(branch, fetch=True)
        with suppress(OvertakenError):
            return attempt(tip)
    hint = "run it again when fewer writers are busy: nothing was changed."
    raise ConflictError(f"{branch} moved during each of {_ATTEMPTS} attempts to publish", hint)


def release_on(
    source: Source, tip: Tip, images: Sequence[NewImage] = (), marks: Mapping[Repository, str | None] | None = None
) -> Release:
    """Work out what differs at a tip from the images and the marks of holds (None: no mark) that are wanted."""
    if not (images or marks):
        return Release()
    source.deployed(tip)
    return plan_release(source.manifests(tip), images, marks)


def publish(
    source: Source, tip: Tip, release: Release, publishing: Publishing, verb: str = "release"
) -> Published | None:
    """Publish a release (None: it changes nothing); OvertakenError if somebody was faster."""
    if not release.changes:
        return None
    names = {service.repository: service.name for service in source.config.services}
    steps = _steps(source, tip, steps_of(release.edits, names))
    # That a mark goes which only let go of a pin is no news: the step tells what became of the pin.
    told = [edit for edit in release.marks if edit.after is not None or is_hold(edit.before)]
    holds = {names[edit.repository]: edit.after for edit in told}
    notes = Notes(steps, publishing.address, publishing.subject, verb, holds)
    publishing.review(release, notes)
    return Published(release, notes, publishing.put(tip, release, notes), tip)


def _steps(source: Source, tip: Tip, edits: Mapping[str, Edit]) -> tuple[Step, ...]:
    ends = {name: (source.commit_of(edit.before), source.commit_of(edit.after)) for name, edit in edits.items()}
    services = {service.name: service for service in source.config.services}
    known = {services[name]: (base, head) for name, (base, head) in ends.items() if base and head}
    way = ways(source, tip, known)
    return tuple(_step(name, edit, ends[name], way.get(name)) for name, edit in edits.items())


def _step(name: str, edit: Edit, ends: tuple[str | None, str | None], way: Way | None) -> Step:
    before, after = (reference.suffix.lstrip(":@") or "untagged" for reference in (edit.before, edit.after))
    step = Step(name, before, after, *ends, len(way.commits) if way else None, str(edit.after))
    if way is None or not way.is_back:
        return step
    # GitHub compares nothing backwards.
    return replace(step, base=step.head, head=step.base, leaving=way.commits[:_MOST_SUBJECTS], is_back=True)
