"""bump: point the manifests at images, and publish the release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.errors import ConflictError, HeldError, InvalidError, NotFoundError
from orbit_release.flows.attempts import Published, Publishing, attempts, release_on
from orbit_release.flows.hold import held_marks
from orbit_release.flows.plan import plan
from orbit_release.flows.source import Source, commit_of, manifests
from orbit_release.git.clone import Tip
from orbit_release.git.graph import History
from orbit_release.image import Digest, ImageReference, Tag
from orbit_release.manifests.rewrite import FoundImage, NewImage
from orbit_release.planning.actions import Action, Plan
from orbit_release.releases.release import plan_release
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry


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
class Built:
    """What `bump --built` did: the release (None: nothing to do) and the plan that it rests on."""

    published: Published | None
    plan: Plan

    @property
    def missing(self) -> tuple[ImageReference, ...]:
        """The images that should have been built and are not in the registry."""
        return tuple(one.image for one in self.plan.with_action(Action.BUILD) if one.image)


def bump(
    source: Source,
    changes: Sequence[Change],
    *,
    registry: Registry | None,
    publishing: Publishing,
    confirm_unmerged: Callable[[str], bool],
    unhold: bool = False,
) -> Published | None:
    """Set the services' tags as a person asked, publish the release and return it (None: nothing to do).

    HeldError for a service with a hold, unless it is to be taken away with it.
    """
    images = [_verified(registry, change) for change in changes]
    for change in changes:
        _check_label(registry, change)
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        _check(source, tip, changes, registry, confirm_unmerged, unhold=unhold)
        marks = held_marks(source, tip, [change.service for change in changes]) if unhold else None
        published, done = release_on(source, tip, images, publishing, marks=marks)
        if done:
            return published
    return None


def bump_built(
    source: Source,
    services: Sequence[Service],
    *,
    head: str | None,
    registry: Registry,
    publishing: Publishing,
) -> Built:
    """Release every service whose target's image is in the registry, in one commit, from the fresh state."""
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        found = _plan_on(source, services, head or tip.commit, registry, tip)
        ready = [one for one in found.with_action(Action.RELEASE) if one.image]
        images = [_verified(registry, Change(one.service, one.tag)) for one in ready if one.tag]
        published, done = release_on(source, tip, images, publishing)
        if done:
            return Built(published, found)
    raise AssertionError  # attempts ends with an error of its own


def _plan_on(source: Source, services: Sequence[Service], head: str, registry: Registry, tip: Tip) -> Plan:
    commit = source.git.fetch_commit(head)
    if commit and not source.git.history([commit, tip.commit]).is_ancestor(commit, tip.commit):
        return Plan(commit, (), superseded=True)
    return plan(source, services, head=head, registry=registry, tip=tip)


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
    *,
    unhold: bool,
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
        if not unhold:
            _check_held(change, images)
        _check_digests(change, images, verified=registry is not None)
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


def _check_held(change: Change, images: Sequence[FoundImage]) -> None:
    for image in images:
        if image.hold is not None:
            message = f"{change.service.name} is held: {image.hold or 'no reason given'}"
            raise HeldError(message, f"add --unhold, or first run: orbit-release unhold {change.service.name}")


def _check_digests(change: Change, images: Sequence[FoundImage], *, verified: bool) -> None:
    for image in images:
        if image.reference.digest and not change.digest and not verified:
            message = f"{image.path}:{image.line}: {change.service.name} is pinned to a digest"
            raise InvalidError(message, f"name the new one, {change.tag}@sha256:…, or leave out --no-verify.")


def _check_order(
    change: Change, target: str | None, running: Mapping[ImageReference, str | None], history: History
) -> None:
    for reference, commit in running.items():
        if target and commit and target != commit and history.is_ancestor(target, commit):
            message = f"{change.service.name} runs {reference.suffix.lstrip(':@')}, which is newer than {change.tag}"
            hint = f"a bump never goes back: orbit-release rollback {change.service.name} {change.tag}"
            raise ConflictError(message, hint)


def _check_merged(change: Change, tip: Tip, confirm_unmerged: Callable[[str], bool]) -> None:
    message = f"the commit of {change.service.name} {change.tag} is not on {tip.branch}"
    if not confirm_unmerged(message):
        raise ConflictError(message, "merge it first, or deploy it all the same with --allow-unmerged.")
