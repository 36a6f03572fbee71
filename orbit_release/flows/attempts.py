"""A release on its way: worked out on a fresh tip, published, and worked out again if somebody was faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.errors import ConflictError
from orbit_release.flows.source import Source, commit_of, manifests
from orbit_release.git.clone import Clone, Tip
from orbit_release.image import Repository
from orbit_release.manifests.rewrite import Edit, NewImage
from orbit_release.releases.messages import Notes, Step, steps_of
from orbit_release.releases.release import Release, plan_release

_ATTEMPTS = 40
_LONGEST_PAUSE = 2.0  # seconds
_MOST_SUBJECTS = 20


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a release went: its commit, and the pull request that carries it (None: it is on the branch).

    `is_newer`: the pull request proposes something newer already, and was left as it is.
    """

    commit: str
    pull_request: str | None = None
    is_newer: bool = False


# Publishes a release; None if the branch has moved on from the tip meanwhile.
Publish = Callable[[Tip, Release, Notes], Landed | None]


@dataclass(frozen=True, slots=True)
class Publishing:
    """How a release is published: by what, on the clone's own branch or the remote's, and what it says of itself.

    `subject` takes the place of the commit's own; `address` is the monorepo's web address, or "".
    """

    publish: Publish
    local: bool = False
    subject: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A release, what it says of itself, and where it went."""

    release: Release
    notes: Notes
    landed: Landed
    tip: Tip


def attempts(git: Clone, branch: str, *, local: bool, sleep: Callable[[float], None] = time.sleep) -> Iterator[Tip]:
    """Yield a fresh tip each time somebody was faster; ConflictError when that never ends."""
    git.deepen()  # in a shallow clone no question about ancestors has an answer
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311  (jitter, not a secret)
        yield git.local_tip(branch) if local else git.tip(branch, fetch=True)
    hint = "run it again when fewer writers are busy: nothing was changed."
    raise ConflictError(f"{branch} moved during each of {_ATTEMPTS} attempts to publish", hint)


def release_on(
    source: Source,
    tip: Tip,
    images: Sequence[NewImage],
    publishing: Publishing,
    *,
    marks: Mapping[Repository, str | None] | None = None,
    verb: str = "release",
    check: Callable[[Release], None] = lambda _release: None,
) -> tuple[Published | None, bool]:
    """Publish what differs at this tip; the second value is False if somebody was faster.

    `check` may refuse what was worked out before it is published.
    """
    wanted = images or marks
    release = plan_release(manifests(source.git, tip, source.config.manifests), images, marks) if wanted else Release()
    check(release)
    if not release.changes:
        return None, True
    notes = _notes(source, release, publishing, verb)
    landed = publishing.publish(tip, release, notes)
    return (Published(release, notes, landed, tip), True) if landed else (None, False)


def _notes(source: Source, release: Release, publishing: Publishing, verb: str) -> Notes:
    names = {service.repository: service.name for service in source.config.services}
    steps = tuple(_step(source.git, name, edit) for name, edit in steps_of(release.edits, names).items())
    holds = {names[edit.repository]: edit.after for edit in release.marks}
    return Notes(steps, publishing.address, publishing.subject, verb, holds)


def _step(git: Clone, name: str, edit: Edit) -> Step:
    before, after = (reference.suffix.lstrip(":@") or "untagged" for reference in (edit.before, edit.after))
    base, head = commit_of(git, edit.before, None), commit_of(git, edit.after, None)
    commits = git.count(base, head) if base and head else None
    if base and head and base != head and not commits:  # it goes back: the other way round there are some
        leaving = tuple(git.between(head, base, _MOST_SUBJECTS))
        return Step(name, before, after, head, base, git.count(head, base), str(edit.after), leaving)
    return Step(name, before, after, base, head, commits, str(edit.after))
