"""rollback: put services back to what was deployed earlier, and hold them there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orbit_release.argocd.blame import blame
from orbit_release.argocd.verdict import Failed, Look
from orbit_release.errors import ConflictError, InvalidError, NotFoundError
from orbit_release.flows.attempts import Published, Publishing, attempts
from orbit_release.flows.history import history
from orbit_release.flows.plan import side_by_side
from orbit_release.flows.put_back import Hold, Rolled, put_back, verified, why_left
from orbit_release.flows.source import Source
from orbit_release.flows.undo import Undo
from orbit_release.git.clone import Tip
from orbit_release.image import ImageReference, Tag
from orbit_release.manifests.rewrite import NewImage
from orbit_release.releases.timeline import Deployed, deployed_at, is_fixed, rollback_targets
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry

Histories = Mapping[str, Sequence[Deployed]]

_SHOWN = 5  # tags in a hint


def rollback(
    source: Source,
    service: Service,
    tag: Tag | None,
    *,
    registry: Registry | None,
    publishing: Publishing,
    hold: Hold,
) -> Rolled:
    """Put a service back to a tag that was deployed, or to the one before the current one.

    What was rolled back from since is skipped, so that rolling back again goes one further back.
    """
    way: _Way | None = None
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        stretches = history(source, [service], tip)[service.name]
        running = _running(service, stretches)
        way = way or _Way(running, _named(service, stretches, tag) if tag else _previous(service, stretches))
        if tag is None:
            way.check(service, running)
        images = {service: verified(registry, service, way.wanted, rollback_targets(stretches))}
        rolled, done = put_back(source, tip, images, publishing, hold)
        if done:
            return rolled
    raise AssertionError  # attempts ends with an error of its own


@dataclass(frozen=True, slots=True)
class _Way:
    """What a person wants to leave, and where it goes: looked up once, and not again when somebody was faster."""

    leaving: ImageReference
    wanted: ImageReference

    def check(self, service: Service, running: ImageReference) -> None:
        if running not in (self.leaving, self.wanted):
            message = f"{service.name} went from {self.leaving.version} to {running.version} in the meantime"
            raise ConflictError(message, f"look at it: orbit-release history {service.name}; then name the tag.")


def rollback_all(
    source: Source,
    services: Sequence[Service],
    to: str | int,
    *,
    registry: Registry | None,
    publishing: Publishing,
    hold: Hold,
) -> Rolled:
    """Put services back to what was deployed at a commit of the release branch, or at a time in seconds since 1970."""
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        histories = history(source, services, tip)
        then = _deployed_then(source, services, tip, histories, to)
        wanted = {one: then.get(one.name) for one in services if _current(histories[one.name])}
        moving = {one: ref for one, ref in wanted.items() if ref != _current(histories[one.name])}
        fixed = [(service, ref) for service, ref in moving.items() if ref and is_fixed(ref)]
        checked = side_by_side(lambda pair: verified(registry, *pair, others=()), fixed)
        images = {service: image for (service, _), image in zip(fixed, checked, strict=True)}
        rolled, done = put_back(source, tip, images, publishing, hold)
        if done:
            return replace(rolled, left={s.name: why_left(ref) for s, ref in moving.items() if s not in images})
    raise AssertionError  # attempts ends with an error of its own


def rollback_failed(
    source: Source,
    failed: Failed,
    look: Look,
    published: Published | None,
    *,
    registry: Registry | None,
    publishing: Publishing,
) -> Rolled:
    """Put back the services of a release (None: there was nothing to do) that turned Degraded with it, and hold them.

    What somebody changed or held since is theirs.
    """
    if published is None:
        return Rolled(None, instead="nothing was released here")
    undo = Undo(source, published.release, published.landed.commit)
    blamed, seen = blame(failed, look, undo.services), look.observation.revision
    services = [undo.services[name] for name in blamed.services]
    if not services:
        return Rolled(None, instead=blamed.instead)
    if changed := undo.changed_besides(look.older, seen):
        return Rolled(None, instead=f"{changed} has changed as well in {seen[:7]}")
    hold = Hold(wanted=True, reason=f"Degraded with release {undo.commit[:7]}")
    before = {one: undo.before(one, look.observation.images, registry) for one in services}
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        if changed := undo.changed_besides(seen, tip.commit):
            return Rolled(None, instead=f"{changed} has changed since {seen[:7]}")
        going = {
            one: image if isinstance(image, str) else undo.changed_since(one, tip) or image
            for one, image in before.items()
        }
        images = {one: image for one, image in going.items() if isinstance(image, NewImage)}
        rolled, done = put_back(source, tip, images, publishing, hold)
        if done:
            return replace(rolled, left={one.name: why for one, why in going.items() if isinstance(why, str)})
    raise AssertionError  # attempts ends with an error of its own


def _current(stretches: Sequence[Deployed]) -> ImageReference | None:
    return stretches[-1].reference if stretches and stretches[-1].until is None else None


def _named(service: Service, stretches: Sequence[Deployed], tag: Tag) -> ImageReference:
    found = next((one.reference for one in reversed(stretches) if one.reference.tag == tag), None)
    if found is None:
        tags = dict.fromkeys(one.reference.version for one in reversed(stretches) if is_fixed(one.reference))
        hint = f"it was with {', '.join([*tags][:_SHOWN])}" if tags else "it was never released"
        raise NotFoundError(f"{service.name} was never deployed with {tag}", f"{hint}; see orbit-release history.")
    if not is_fixed(found):
        raise InvalidError(f"{tag} may be any image", "name a tag that stays what it is: orbit-release history.")
    return found


def _previous(service: Service, stretches: Sequence[Deployed]) -> ImageReference:
    targets = rollback_targets(stretches)
    if not targets:
        message = f"{service.name} has nothing to go back to from {stretches[-1].reference.version}"
        raise NotFoundError(message, f"orbit-release history {service.name} shows what it was deployed with.")
    return targets[0].reference


def _running(service: Service, stretches: Sequence[Deployed]) -> ImageReference:
    running = _current(stretches)
    if running is None:
        raise NotFoundError(f"no manifest names {service.repository}", "there is nothing that could be rolled back.")
    return running


def _deployed_then(
    source: Source, services: Sequence[Service], tip: Tip, histories: Histories, to: str | int
) -> dict[str, ImageReference]:
    if isinstance(to, str):
        _require_merged(source, tip, to)
        found = history(source, services, Tip(tip.branch, to, None))
        then = {name: _current(stretches) for name, stretches in found.items()}
    else:
        stretches_then = {name: deployed_at(stretches, to) for name, stretches in histories.items()}
        then = {name: one.reference for name, one in stretches_then.items() if one}
    known = {name: reference for name, reference in then.items() if reference}
    if not any(map(is_fixed, known.values())):
        raise NotFoundError("nothing was released by then", _first_release(histories))
    return known


def _require_merged(source: Source, tip: Tip, commit: str) -> None:
    if not source.git.history([commit, tip.commit]).is_ancestor(commit, tip.commit):
        hint = "name a commit of the release branch, or a time."
        raise ConflictError(f"{commit[:7]} is not on {tip.branch}", hint)


def _first_release(histories: Histories) -> str:
    commits = [one.since for stretches in histories.values() for one in stretches if is_fixed(one.reference)]
    first = min(commits, key=lambda commit: commit.time, default=None)
    if first is None:
        return "no service was ever released: there is nothing to go back to."
    return (
        f"the first release was {first.name[:7]}, at {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(first.time))}."
    )
