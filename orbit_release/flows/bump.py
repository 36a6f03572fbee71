"""bump: point the manifests at images, and publish the release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.errors import ConflictError, HeldError, InvalidError, NotFoundError, OrbitReleaseError
from orbit_release.flows.hold import held_marks
from orbit_release.flows.pins import marks_taken_over
from orbit_release.flows.plan import plan
from orbit_release.flows.publish_until_landed import Published, Publishing, publish, publish_until_landed, release_on
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.git.graph import History
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.places import FoundImage
from orbit_release.manifests.rewrite import NewImage
from orbit_release.planning.actions import Action, Plan
from orbit_release.planning.target_commits import clash_of
from orbit_release.registry.client import Registry
from orbit_release.service import Service

Confirm = Callable[[str], bool]  # says whether what a message tells of is wanted all the same


@dataclass(frozen=True, slots=True)
class TagChange:
    """What a person asked for: a service's new tag, and its digest if they named it."""

    service: Service
    tag: Tag
    digest: Digest | None = None

    @property
    def image(self) -> ImageReference:
        return ImageReference(self.service.repository, self.tag)


@dataclass(frozen=True, slots=True)
class BuiltOutcome:
    """What `bump --built` did: the release (None: nothing to do) and the plan that it rests on."""

    published: Published | None
    plan: Plan

    @property
    def missing(self) -> tuple[ImageReference, ...]:
        """The images that should have been built and are not in the registry."""
        return tuple(build.image for build in self.plan.to_build if build.image)

    @property
    def fault(self) -> OrbitReleaseError | None:
        missing = ", ".join(map(str, self.missing))
        hint = "their builds failed or did not run: run `orbit-release build`, then this again."
        lost = NotFoundError(f"not in the registry: {missing}", hint) if missing else None
        return clash_of(self.plan.services) or self._uncertain or lost or self._unmanaged

    @property
    def _uncertain(self) -> InvalidError | None:
        faults = [*(plan.fault for plan in self.plan.services if plan.fault), *self.plan.broken]
        return InvalidError("\n".join(dict.fromkeys(map(str, faults))), faults[0].hint) if faults else None

    @property
    def _unmanaged(self) -> NotFoundError | None:
        unmanaged = [plan for plan in self.plan.with_action(Action.UNMANAGED) if plan.is_built]
        hint = "name it where it is to be deployed, or say `deploy: false` of what is only built."
        return NotFoundError("; ".join(plan.reason for plan in unmanaged), hint) if unmanaged else None


def bump(
    source: Source,
    changes: Sequence[TagChange],
    *,
    registry: Registry | None,
    publishing: Publishing,
    confirm_unmerged: Confirm,
    unhold: bool = False,
) -> Published | None:
    """Publish the tags that a person asked for; HeldError for a service with a hold, unless `unhold` takes it away."""
    images = [_required_image(registry, change) for change in changes]
    for change in changes:
        _check_label(source, registry, change)

    def attempt(tip: Tip) -> Published | None:
        _check(source, tip, changes, registry, confirm_unmerged, unhold=unhold)
        marks: dict[Repository, str | None] = {**_marks_taken_over(source, tip, changes)}
        if unhold:
            marks |= held_marks(source, tip, [change.service for change in changes])
        return publish(source, tip, release_on(source, tip, images, marks), publishing)

    return publish_until_landed(source, publishing, attempt)


def bump_built(
    source: Source, services: Sequence[Service], *, head: str | None, registry: Registry, publishing: Publishing
) -> BuiltOutcome:
    """Release every service whose target's image is in the registry, in one commit, from the fresh state."""

    def attempt(tip: Tip) -> BuiltOutcome:
        commit = source.git.fetch_commit(head or tip.commit)
        if commit and not source.is_ancestor(commit, tip.commit):
            return BuiltOutcome(None, Plan(commit, (), superseded=True))
        now = plan(source, services, head=head or tip.commit, registry=registry, tip=tip)
        changes = [TagChange(due.service, due.tag) for due in now.with_action(Action.RELEASE) if due.tag]
        images = [_required_image(registry, change) for change in changes]
        marks = _marks_taken_over(source, tip, changes)
        return BuiltOutcome(publish(source, tip, release_on(source, tip, images, marks), publishing), now)

    return publish_until_landed(source, publishing, attempt)


def _marks_taken_over(source: Source, tip: Tip, changes: Sequence[TagChange]) -> Mapping[Repository, None]:
    deployed = source.deployed(tip)
    moving = [
        change.service
        for change in changes
        if any(image.reference.tag != change.tag for image in deployed[change.service.repository])
    ]
    return marks_taken_over(source, tip, moving)


def _required_image(registry: Registry | None, change: TagChange) -> NewImage:
    repository, tag, digest = change.service.repository, change.tag, change.digest
    refresh = registry.require(repository, tag, digest) if registry else None
    return NewImage(repository, tag, digest=digest, refresh=refresh)


def _check_label(source: Source, registry: Registry | None, change: TagChange) -> None:
    image = registry.image(change.service.repository, change.tag) if registry else None
    prefix = source.config.tag_scheme.commit_prefix(change.tag)
    if image and image.revision and prefix and not image.revision.startswith(prefix):
        message = f"{change.image} was built from {image.revision}, which its tag does not say"
        raise ConflictError(message, "somebody pushed it under a wrong tag: build the right image, and bump to that.")


def _check(
    source: Source, tip: Tip, changes: Sequence[TagChange], registry: Registry | None, confirm: Confirm, *, unhold: bool
) -> None:
    """Refuse what must not be published on this tip: held, unknown, unmerged or older than what is deployed."""
    deployed = source.deployed(tip)
    running = [image.reference for change in changes for image in deployed[change.service.repository]]
    references = [*(change.image for change in changes), *running]
    commits = {reference: source.commit_of(reference, registry) for reference in references}
    history = source.git.history([tip.commit, *filter(None, commits.values())])
    for change in changes:
        images = deployed[change.service.repository]
        if faults := deployed.faults(change.service.repository):
            raise faults[0]
        if not images:
            raise source.not_named(tip, change.service)
        _check_images(change, images, verified=registry is not None, unhold=unhold)
        target, scheme = commits[change.image], source.config.tag_scheme
        if scheme.commit_prefix(change.tag) and not scheme.is_pin(change.tag, target):
            _check_order(change, target, {image.reference: commits[image.reference] for image in images}, history)
            if target is None or not history.is_ancestor(target, tip.commit):
                _check_merged(change, tip, confirm)


def _check_images(change: TagChange, images: Sequence[FoundImage], *, verified: bool, unhold: bool) -> None:
    name = change.service.name
    held = [image.hold for image in images if image.hold is not None]
    if held and not unhold:
        hint = f"add --unhold, or first run: orbit-release unhold {name}"
        raise HeldError(f"{name} is held: {held[0] or 'no reason given'}", hint)
    for image in images:
        if image.reference.digest and not change.digest and not verified:
            message = f"{image.path}:{image.line}: {name} is pinned to a digest"
            raise InvalidError(message, f"name the new one, {change.tag}@sha256:…, or leave out --no-verify.")


def _check_order(
    change: TagChange, target: str | None, running: Mapping[ImageReference, str | None], history: History
) -> None:
    for reference, commit in running.items():
        if target and commit and target != commit and history.is_ancestor(target, commit):
            message = f"{change.service.name} runs {reference.suffix.lstrip(':@')}, which is newer than {change.tag}"
            hint = f"a bump never goes back: orbit-release rollback {change.service.name} {change.tag}"
            raise ConflictError(message, hint)


def _check_merged(change: TagChange, tip: Tip, confirm: Confirm) -> None:
    message = f"the commit of {change.service.name} {change.tag} is not on {tip.branch}"
    if not confirm(message):
        raise ConflictError(message, "merge it first, or deploy it all the same with --allow-unmerged.")
