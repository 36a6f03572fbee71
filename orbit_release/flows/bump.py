"""bump: point the manifests at images, and publish the release."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.adapters.git.clone import Clone, Tip
from orbit_release.core.image import Digest, ImageReference, Tag
from orbit_release.core.manifest import Edit, FoundImage, NewImage
from orbit_release.core.plan import Action, History, Plan
from orbit_release.core.release import Notes, Release, Step, plan_release, steps_of
from orbit_release.core.service import Service
from orbit_release.errors import ConflictError, HeldError, InvalidError, NotFoundError
from orbit_release.flows.plan import Source, commit_of, manifests, plan

if TYPE_CHECKING:
    from orbit_release.adapters.registry import Registry

_ATTEMPTS = 40
_LONGEST_PAUSE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a release went: its commit, and the pull request that carries it (None: it is on the branch)."""

    commit: str
    pull_request: str | None = None


# Publishes a release; None if the branch has moved on from the tip meanwhile.
Publish = Callable[[Tip, Release, Notes], Landed | None]


@dataclass(frozen=True, slots=True)
class Change:
    """What a person asked for: a service's new tag, and its digest if they named it."""

    service: Service
    tag: Tag
    digest: Digest | None = None

    @property
    def image(self) -> ImageReference:
        """The image asked for."""
        return ImageReference(self.service.repository, self.tag)


@dataclass(frozen=True, slots=True)
class Published:
    """A release, what it says of itself, and where it went."""

    release: Release
    notes: Notes
    landed: Landed
    tip: Tip


@dataclass(frozen=True, slots=True)
class Built:
    """What `bump --built` did: the release (None: nothing to do) and the plan that it rests on."""

    published: Published | None
    plan: Plan

    @property
    def missing(self) -> tuple[ImageReference, ...]:
        """The images that should have been built and are not in the registry."""
        return tuple(one.image for one in self.plan.with_action(Action.BUILD) if one.image)


def attempts(git: Clone, branch: str, *, local: bool, sleep: Callable[[float], None] = time.sleep) -> Iterator[Tip]:
    """Yield a fresh tip each time somebody was faster; ConflictError when that never ends."""
    git.deepen()  # in a shallow clone no question about ancestors has an answer
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311  (jitter, not a secret)
        yield git.local_tip(branch) if local else git.tip(branch, fetch=True)
    hint = "run it again when fewer writers are busy: nothing was changed."
    raise ConflictError(f"{branch} moved during each of {_ATTEMPTS} attempts to publish", hint)


def bump(
    source: Source,
    changes: Sequence[Change],
    *,
    registry: Registry | None,
    publish: Publish,
    confirm_unmerged: Callable[[str], bool],
    local: bool = False,
    subject: str = "",
    address: str = "",
) -> Published | None:
    """Set the services' tags as a person asked, publish the release and return it (None: nothing to do)."""
    images = [_verified(registry, change) for change in changes]
    for change in changes:
        _check_label(registry, change)
    for tip in attempts(source.git, source.config.branch, local=local):
        _check(source, tip, changes, registry, confirm_unmerged)
        published, done = _release(source, tip, images, publish, address, subject)
        if done:
            return published
    return None


def bump_built(
    source: Source,
    services: Sequence[Service],
    *,
    head: str | None,
    registry: Registry,
    publish: Publish,
    local: bool = False,
    subject: str = "",
    address: str = "",
) -> Built:
    """Release every service whose target's image is in the registry, in one commit, from the fresh state."""
    for tip in attempts(source.git, source.config.branch, local=local):
        found = _plan_on(source, services, head or tip.commit, registry, tip)
        ready = [one for one in found.with_action(Action.RELEASE) if one.image]
        images = [_verified(registry, Change(one.service, one.tag)) for one in ready if one.tag]
        published, done = _release(source, tip, images, publish, address, subject)
        if done:
            return Built(published, found)
    raise AssertionError  # attempts ends with an error of its own


def _plan_on(source: Source, services: Sequence[Service], head: str, registry: Registry, tip: Tip) -> Plan:
    commit = source.git.fetch_commit(head)
    if commit and not source.git.history([commit, tip.commit]).is_ancestor(commit, tip.commit):
        return Plan(commit, (), superseded=True)
    return plan(source, services, head=head, registry=registry, tip=tip)


def _release(
    source: Source, tip: Tip, images: Sequence[NewImage], publish: Publish, address: str, subject: str
) -> tuple[Published | None, bool]:
    """Publish what differs at this tip; the second value is False if somebody was faster."""
    release = plan_release(manifests(source.git, tip, source.config.manifests), images) if images else Release((), {})
    if not release.edits:
        return None, True
    notes = _notes(source, release, address, subject)
    landed = publish(tip, release, notes)
    return (Published(release, notes, landed, tip), True) if landed else (None, False)


def _verified(registry: Registry | None, change: Change) -> NewImage:
    repository = change.service.repository
    there = registry.require(repository, change.tag, change.digest) if registry else None
    return NewImage(repository, change.tag, digest=change.digest, refresh=there)


def _check_label(registry: Registry | None, change: Change) -> None:
    image = registry.image(change.service.repository, change.tag) if registry else None
    prefix = change.tag.commit_prefix
    if image and image.revision and prefix and not image.revision.startswith(prefix):
        message = f"{change.image} was built from {image.revision}, which its tag does not say"
        raise ConflictError(message, "somebody pushed it under a wrong tag: build the right image, and bump to that.")


def _check(
    source: Source,
    tip: Tip,
    changes: Sequence[Change],
    registry: Registry | None,
    confirm_unmerged: Callable[[str], bool],
) -> None:
    """Refuse what must not be published on this tip: held, unknown, unmerged or older than what is deployed."""
    found = source.deployed(tip)
    commits = {change.service.name: commit_of(source.git, change.image, registry) for change in changes}
    deployed = {
        image.reference: commit_of(source.git, image.reference, registry)
        for change in changes
        for image in found[change.service.repository]
    }
    known = [commit for commit in (*deployed.values(), *commits.values()) if commit]
    history = source.git.history([tip.commit, *known])
    for change in changes:
        images = found[change.service.repository]
        if not images:
            raise _not_named(source, tip, change)
        _check_manifests(change, images, verified=registry is not None)
        if change.tag.commit_prefix:
            target = commits[change.service.name]
            running = {image.reference: deployed[image.reference] for image in images}
            _check_order(change, target, running, history)
            if target is None or not history.is_ancestor(target, tip.commit):
                _check_merged(change, tip, confirm_unmerged)


def _not_named(source: Source, tip: Tip, change: Change) -> NotFoundError:
    folder = source.config.manifests
    release = plan_release(manifests(source.git, tip, folder), [NewImage(change.service.repository, change.tag)])
    hint = f"name it in a workload or a kustomization under {folder}, on the release branch."
    return NotFoundError(f"no manifest names {change.service.repository}", "; ".join(release.warnings) or hint)


def _check_manifests(change: Change, images: Sequence[FoundImage], *, verified: bool) -> None:
    for image in images:
        if image.hold is not None:
            message = f"{change.service.name} is held: {image.hold or 'no reason given'}"
            raise HeldError(message, f"remove the comment `# held` at {image.path}:{image.line} first.")
        if image.reference.digest and not change.digest and not verified:
            message = f"{image.path}:{image.line}: {change.service.name} is pinned to a digest"
            raise InvalidError(message, f"name the new one, {change.tag}@sha256:…, or leave out --no-verify.")


def _check_order(
    change: Change, target: str | None, running: Mapping[ImageReference, str | None], history: History
) -> None:
    for reference, commit in running.items():
        if target and commit and target != commit and history.is_ancestor(target, commit):
            message = f"{change.service.name} runs {reference.suffix.lstrip(':@')}, which is newer than {change.tag}"
            hint = "a bump never goes back: `git revert` its release, add `# held: why` behind the image, and push."
            raise ConflictError(message, hint)


def _check_merged(change: Change, tip: Tip, confirm_unmerged: Callable[[str], bool]) -> None:
    message = f"the commit of {change.service.name} {change.tag} is not on {tip.branch}"
    if not confirm_unmerged(message):
        raise ConflictError(message, "merge it first, or deploy it all the same with --allow-unmerged.")


def _notes(source: Source, release: Release, address: str, subject: str) -> Notes:
    names = {service.repository: service.name for service in source.config.services}
    edits = steps_of(release.edits, names)
    return Notes(tuple(_step(source.git, name, edit) for name, edit in edits.items()), address, subject)


def _step(git: Clone, name: str, edit: Edit) -> Step:
    before, after = (reference.suffix.lstrip(":@") or "untagged" for reference in (edit.before, edit.after))
    base, head = commit_of(git, edit.before, None), commit_of(git, edit.after, None)
    commits = git.count(base, head) if base and head else None
    return Step(name, before, after, base, head, commits, str(edit.after))
