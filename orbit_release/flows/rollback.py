"""rollback: put services back to what was deployed earlier, and hold them there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orbit_release.argocd.blame import blame
from orbit_release.argocd.verdict import Failed, Look
from orbit_release.errors import ConflictError, InvalidError, NotFoundError
from orbit_release.flows.failed_release import Undo
from orbit_release.flows.history import history
from orbit_release.flows.publish_until_landed import Published, Publishing, publish_until_landed
from orbit_release.flows.restore_images import (
    TAGS_IN_HINT,
    RollbackHold,
    RollbackOutcome,
    put_back,
    restored_image,
    why_left,
)
from orbit_release.flows.side_by_side import side_by_side
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import ImageReference, Tag
from orbit_release.manifests.rewrite import NewImage
from orbit_release.registry.client import Registry
from orbit_release.releases.timeline import Stretch, deployed_at, is_fixed, rollback_targets
from orbit_release.service import Service

Histories = Mapping[str, Sequence[Stretch]]


def rollback(
    source: Source,
    service: Service,
    tag: Tag | None,
    *,
    registry: Registry | None,
    publishing: Publishing,
    hold: RollbackHold,
) -> RollbackOutcome:
    """Put a service back to a tag that was deployed, or to the one before the current one.

    What was rolled back from since is skipped, so that rolling back again goes one further back.
    """
    way: tuple[ImageReference, ImageReference] | None = None  # from, to: looked up once

    def attempt(tip: Tip) -> RollbackOutcome:
        nonlocal way
        source.deployed(tip)
        stretches = history(source, [service], tip)[service.name]
        running = _current(stretches)
        if running is None:
            raise source.not_named(tip, service, "there is nothing that could be rolled back.")
        way = way or (running, _named(service, stretches, tag) if tag else _previous(service, stretches))
        if tag is None and running not in way:
            message = f"{service.name} went from {way[0].version} to {running.version} in the meantime"
            raise ConflictError(message, f"look at it: orbit-release history {service.name}; then name the tag.")
        image = restored_image(registry, service, way[1], rollback_targets(stretches))
        return put_back(source, tip, {service: image}, publishing, hold)

    return publish_until_landed(source, publishing, attempt)


def rollback_all(
    source: Source,
    services: Sequence[Service],
    to: str | int,
    *,
    registry: Registry | None,
    publishing: Publishing,
    hold: RollbackHold,
) -> RollbackOutcome:
    """Put services back to what was deployed at a commit of the release branch, or at a time in seconds since 1970."""

    def attempt(tip: Tip) -> RollbackOutcome:
        deployed = source.deployed(tip)
        histories = history(source, services, tip)
        then = _deployed_then(source, services, tip, histories, to)
        now = {service: _current(histories[service.name]) for service in services}
        faults = {service.name: deployed.faults(service.repository) for service in services}
        uncertain = {name: why[0].message for name, why in faults.items() if why}
        wanted = {
            service: then.get(service.name) for service in services if now[service] and service.name not in uncertain
        }
        moving = {service: reference for service, reference in wanted.items() if reference != now[service]}
        fixed = [(service, reference) for service, reference in moving.items() if reference and is_fixed(reference)]
        checked = side_by_side(lambda pair: restored_image(registry, *pair, others=()), fixed)
        images = {service: image for (service, _), image in zip(fixed, checked, strict=True)}
        left = {service.name: why_left(moving[service]) for service in moving if service not in images}
        return replace(put_back(source, tip, images, publishing, hold), left=left | uncertain)

    return publish_until_landed(source, publishing, attempt)


def rollback_failed(
    source: Source,
    failed: Failed,
    look: Look,
    published: Published | None,
    *,
    registry: Registry | None,
    publishing: Publishing,
) -> RollbackOutcome:
    """Put back the services of a release (None: there was nothing to do) that turned Degraded with it, and hold them.

    What somebody changed or held since is theirs.
    """
    if published is None:
        return RollbackOutcome(None, instead="nothing was released here")
    undo = Undo(source, published.release, published.landed.commit)
    blamed, seen = blame(failed, look, undo.services), look.observation.revision
    services = [undo.services[name] for name in blamed.services]
    if not services:
        return RollbackOutcome(None, instead=blamed.instead)
    if changed := undo.changed_besides(look.older, seen):
        return RollbackOutcome(None, instead=f"{changed} has changed as well in {seen[:7]}")
    hold = RollbackHold(wanted=True, reason=f"Degraded with release {undo.commit[:7]}")
    before = {service: undo.before(service, look.observation.images, registry) for service in services}

    def attempt(tip: Tip) -> RollbackOutcome:
        if changed := undo.changed_besides(seen, tip.commit):
            return RollbackOutcome(None, instead=f"{changed} has changed since {seen[:7]}")
        images: dict[Service, NewImage] = {}
        left: dict[str, str] = {}
        for service, image in before.items():
            goes = image if isinstance(image, str) else undo.changed_since(service, tip) or image
            if isinstance(goes, str):
                left[service.name] = goes
            else:
                images[service] = goes
        return replace(put_back(source, tip, images, publishing, hold), left=left)

    return publish_until_landed(source, publishing, attempt)


def _current(stretches: Sequence[Stretch]) -> ImageReference | None:
    return stretches[-1].reference if stretches and stretches[-1].until is None else None


def _named(service: Service, stretches: Sequence[Stretch], tag: Tag) -> ImageReference:
    references = [stretch.reference for stretch in reversed(stretches)]
    named = next((reference for reference in references if reference.tag == tag), None)
    if named is None:
        tags = dict.fromkeys(reference.version for reference in references if is_fixed(reference))
        hint = f"it was with {', '.join([*tags][:TAGS_IN_HINT])}" if tags else "it was never released"
        raise NotFoundError(f"{service.name} was never deployed with {tag}", f"{hint}; see orbit-release history.")
    if not is_fixed(named):
        raise InvalidError(f"{tag} may be any image", "name a tag that stays what it is: orbit-release history.")
    return named


def _previous(service: Service, stretches: Sequence[Stretch]) -> ImageReference:
    targets = rollback_targets(stretches)
    if not targets:
        message = f"{service.name} has nothing to go back to from {stretches[-1].reference.version}"
        raise NotFoundError(message, f"orbit-release history {service.name} shows what it was deployed with.")
    return targets[0].reference


def _deployed_then(
    source: Source, services: Sequence[Service], tip: Tip, histories: Histories, to: str | int
) -> dict[str, ImageReference]:
    if isinstance(to, str):
        if not source.is_ancestor(to, tip.commit):
            hint = "name a commit of the release branch, or a time."
            raise ConflictError(f"{to[:7]} is not on {tip.branch}", hint)
        histories_then = history(source, services, Tip(tip.branch, to, None))
        then = {name: _current(stretches) for name, stretches in histories_then.items()}
    else:
        at = {name: deployed_at(stretches, to) for name, stretches in histories.items()}
        then = {name: stretch.reference for name, stretch in at.items() if stretch}
    known = {name: reference for name, reference in then.items() if reference}
    if not any(map(is_fixed, known.values())):
        raise NotFoundError("nothing was released by then", _first_release(histories))
    return known


def _first_release(histories: Histories) -> str:
    stretches = [stretch for stretches in histories.values() for stretch in stretches]
    commits = [stretch.since for stretch in stretches if is_fixed(stretch.reference)]
    first = min(commits, key=lambda commit: commit.time, default=None)
    if first is None:
        return "no service was ever released: there is nothing to go back to."
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(first.time))
    return f"the first release was {first.name[:7]}, at {when}."
