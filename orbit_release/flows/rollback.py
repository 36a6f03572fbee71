"""rollback: put services back to what was deployed earlier, and hold them there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from orbit_release.adapters.git.clone import Tip
from orbit_release.core.history import Deployed, deployed_at, is_fixed, rollback_targets
from orbit_release.core.image import LATEST, Digest, ImageReference, Tag
from orbit_release.core.manifest import FoundImage, NewImage
from orbit_release.core.service import Service
from orbit_release.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from orbit_release.flows.history import history
from orbit_release.flows.hold import unmarked
from orbit_release.flows.plan import side_by_side
from orbit_release.flows.release import Published, Publishing, attempts, release_on
from orbit_release.flows.source import Source, commit_of

if TYPE_CHECKING:
    from orbit_release.adapters.registry import Registry

Histories = Mapping[str, Sequence[Deployed]]

_SHOWN = 5  # tags in a hint
_ASKED = 20  # tags that the registry is asked about for it


@dataclass(frozen=True, slots=True)
class Rolled:
    """What a rollback did: the release (None: nothing to do), and why it left services as they are, by name.

    `loose` are the services where no mark could be placed, and whether they went back, which holds them as well.
    """

    published: Published | None
    left: Mapping[str, str] = field(default_factory=dict)
    loose: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """Whether what is rolled back is held, and why; without a reason, for what it ran before."""

    wanted: bool
    reason: str = ""

    def mark(self, images: Sequence[FoundImage], tip: Tip, *, back: bool) -> tuple[str | None, ...]:
        """Return the mark for a service's images at a tip, or nothing where it stays as it is."""
        if self.wanted:
            way = "rolled back from" if back else "put back by hand, from"
            return (self.reason or f"{way} {images[0].reference.version}",)
        if back:
            return (f"no, after {tip.commit[:7]}",)  # which tells it from the mark of another time
        return (None,) if any(image.hold is not None for image in images) else ()


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
        images = {service: _verified(registry, service, way.wanted, rollback_targets(stretches))}
        rolled, done = _put_back(source, tip, images, publishing, hold)
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
        verified = side_by_side(lambda pair: _verified(registry, *pair, others=()), fixed)
        images = {service: image for (service, _), image in zip(fixed, verified, strict=True)}
        left = {s.name: _why_left(ref) for s, ref in moving.items() if s not in images}
        rolled, done = _put_back(source, tip, images, publishing, hold)
        if done:
            return Rolled(rolled.published, left, rolled.loose)
    raise AssertionError  # attempts ends with an error of its own


def _put_back(
    source: Source, tip: Tip, images: Mapping[Service, NewImage], publishing: Publishing, hold: Hold
) -> tuple[Rolled, bool]:
    found = source.deployed(tip)
    moving = [one for one in images if not all(_is_at(i.reference, images[one]) for i in found[one.repository])]
    back = {one.name: _goes_back(source, found[one.repository], images[one]) for one in moving}
    marks = {
        one.repository: mark for one in moving for mark in hold.mark(found[one.repository], tip, back=back[one.name])
    }
    wanted = [images[one] for one in moving]
    published, done = release_on(source, tip, wanted, publishing, marks=marks, verb="rollback")
    loose = unmarked(moving, published.release) if published else []
    return Rolled(published, loose={name: back[name] for name in loose}), done


def _goes_back(source: Source, images: Sequence[FoundImage], wanted: NewImage) -> bool:
    """Whether a service goes to an older commit, as far as that is known."""
    git, target = source.git, ImageReference(wanted.repository, wanted.tag, wanted.digest)
    then, *now = (commit_of(git, one, None) for one in (target, *(image.reference for image in images)))
    known = [commit for commit in (then, *now) if commit]
    graph = git.history(known) if len(known) == len(images) + 1 else None
    return graph is None or any(graph.is_ancestor(then or "", commit or "") for commit in now)


def _is_at(now: ImageReference, wanted: NewImage) -> bool:
    digest = wanted.digest or (wanted.refresh if now.digest else None)
    return now.tag == wanted.tag and digest in (None, now.digest)


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


def _verified(
    registry: Registry | None, service: Service, wanted: ImageReference, others: Iterable[Deployed]
) -> NewImage:
    """Return the image to write, which the registry must have: by its digest, where it was deployed by that."""
    there = _digest(registry, wanted) if registry else None
    if registry and there is None:
        left = [one.reference for one in others if one.reference != wanted][:_ASKED]
        tags = [one.version for one in islice((one for one in left if _digest(registry, one)), _SHOWN)]
        hint = f"of what was deployed before, it has {', '.join(tags)}" if tags else "build it again from its commit"
        raise NotFoundError(f"{wanted} is not in the registry any more", f"{hint}; orbit-release history shows all.")
    if wanted.tag is None:
        return NewImage(service.repository, None, digest=wanted.digest)
    return NewImage(service.repository, wanted.tag, refresh=wanted.digest or there)


def _digest(registry: Registry, reference: ImageReference) -> Digest | None:
    try:
        image = registry.image(reference.repository, reference.digest or reference.tag or LATEST)
    except UnavailableError as error:
        raise UnavailableError(error.message, f"--no-verify rolls back without asking. {error.hint}") from error
    return image.digest if image else None


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


def _why_left(then: ImageReference | None) -> str:
    return f"was deployed with {then.version}, which may be any image" if then else "was not deployed then"
