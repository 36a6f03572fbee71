"""hold and unhold: marks that keep automation away from a service's tag, and what counts as one without a mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.errors import InvalidError, NotFoundError
from orbit_release.flows.attempts import Published, Publishing, attempts, release_on
from orbit_release.flows.history import MovedBack, moved_back
from orbit_release.flows.plan import plan_unheld
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Repository
from orbit_release.manifests.rewrite import FoundImage
from orbit_release.planning.actions import ServicePlan
from orbit_release.releases.release import Release
from orbit_release.service import Service

Found = Mapping[Repository, Sequence[FoundImage]]


@dataclass(frozen=True, slots=True)
class Held:
    """What hold or unhold did: the release (None: nothing to do), and why it left services as they are, by name.

    `unplaced` tells of the services, if all were meant, of which no place could take the mark.
    """

    published: Published | None
    left: Mapping[str, str]
    tip: Tip
    unplaced: InvalidError | None = None


def hold(source: Source, services: Sequence[Service], reason: str, *, everything: bool, publishing: Publishing) -> Held:
    """Hold services; those that are held keep their reason. InvalidError where a mark cannot stand.

    With `everything`, services that no manifest names are none to be held.
    """
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        found = source.deployed(tip)
        there = [one for one in services if found[one.repository]] if everything else services
        _require(source, there, found)
        held = _held(there, found)
        marks: dict[Repository, str | None] = {one.repository: reason for one in there if one.name not in held}
        published, done, unplaced = _mark(source, tip, there, marks, publishing, "hold", everything=everything)
        if done:
            return Held(published, {name: f"is held already: {why}" for name, why in held.items()}, tip, unplaced)
    raise AssertionError  # attempts ends with an error of its own


def unhold(
    source: Source, services: Sequence[Service], reason: str | None, *, everything: bool, publishing: Publishing
) -> Held:
    """Let go of services, or take away only the holds with a certain reason.

    With `everything`, services that are not held are none to speak of.
    """
    for tip in attempts(source.git, source.config.branch, local=publishing.local):
        held = _held(services, source.deployed(tip))
        back = moved_back(source, tip, services)
        wanted = [one for one in services if _lets_go(held.get(one.name), back.get(one.name), reason)]
        marks = {one.repository: _mark_after(back.get(one.name), reason) for one in wanted}
        published, done, unplaced = _mark(source, tip, wanted, marks, publishing, "unhold", everything=everything)
        if done:
            still = dict(_left(services, wanted, held, back if reason is not None else {}))
            free = [] if everything else [one.name for one in services if one not in wanted and one.name not in still]
            left = {name: f"stays held: {why}" for name, why in still.items()} | dict.fromkeys(free, "is not held")
            return Held(published, left, tip, unplaced)
    raise AssertionError  # attempts ends with an error of its own


def _lets_go(held: str | None, back: MovedBack | None, reason: str | None) -> bool:
    return held == reason if reason is not None else held is not None or back is not None


def _mark_after(back: MovedBack | None, reason: str | None) -> str | None:
    """Return the mark that lets go: none, unless a move back has to be let go of as well.

    The end of a freeze leaves a service alone that somebody moved back in the meantime, or before.
    """
    return f"no, after {back.commit[:7]}" if back and reason is None else None


def _left(
    services: Sequence[Service], wanted: Sequence[Service], held: Mapping[str, str], back: Mapping[str, MovedBack]
) -> Iterator[tuple[str, str]]:
    """Yield the services that are held afterwards, and why."""
    for one in services:
        if one not in wanted and one.name in held:
            yield one.name, held[one.name]
        elif one.name in back:
            yield one.name, str(back[one.name])


def next_releases(source: Source, services: Sequence[Service], tip: Tip) -> dict[str, str]:
    """Return, by service, what automation does next where it is not held."""
    plans = plan_unheld(source, services, tip).services
    return {one.service.name: _next(one) for one in plans}


def _next(plan: ServicePlan) -> str:
    return f"the next run releases {plan.tag}" if plan.tag else f"there is nothing to release, {plan.reason}"


def _mark(
    source: Source,
    tip: Tip,
    services: Sequence[Service],
    marks: Mapping[Repository, str | None],
    publishing: Publishing,
    verb: str,
    *,
    everything: bool,
) -> tuple[Published | None, bool, InvalidError | None]:
    """Publish marks; if all services are meant, one without a place for its mark does not stop the others."""
    faults: list[InvalidError] = []

    def check(release: Release) -> None:
        if fault := _unplaced(services, release):
            faults.append(fault)
            if not everything:
                raise fault

    published, done = release_on(source, tip, (), publishing, marks=marks, verb=verb, check=check)
    return published, done, next(iter(faults), None)


def held_marks(source: Source, tip: Tip, services: Sequence[Service]) -> dict[Repository, str | None]:
    """Return what takes the holds of services away."""
    found = source.deployed(tip)
    held = _held(services, found)
    return {one.repository: None for one in services if one.name in held}


def _held(services: Sequence[Service], found: Found) -> dict[str, str]:
    reasons = {one.name: [i.hold for i in found[one.repository] if i.hold is not None] for one in services}
    return {name: texts[0] for name, texts in reasons.items() if texts}


def _require(source: Source, services: Sequence[Service], found: Found) -> None:
    for service in services:
        if not found[service.repository]:
            hint = f"name it in a workload or a kustomization under {source.config.manifests}, on the release branch."
            raise NotFoundError(f"no manifest names {service.repository}", hint)


def unmarked(services: Sequence[Service], release: Release) -> list[str]:
    """Return the services of which no place could take a mark."""
    placed = {edit.repository for edit in release.marks}
    unplaced = {one.repository for one in release.unplaced} - placed
    return [one.name for one in services if one.repository in unplaced]


def _unplaced(services: Sequence[Service], release: Release) -> InvalidError | None:
    names = unmarked(services, release)
    why = "; ".join(one.why for one in release.unplaced)
    hint = "write the image on a line of its own, `image: NAME:TAG`; a bump by hand lets go of what moved back."
    return InvalidError(f"{', '.join(names)}: {why}", hint) if names else None
