"""hold and unhold: marks that keep automation away from a service's tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.flows.pins import pin_marks
from orbit_release.flows.plan import plan_unheld
from orbit_release.flows.publish_until_landed import Published, Publishing, publish, publish_until_landed, release_on
from orbit_release.flows.reverted_releases import moved_back
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Repository
from orbit_release.manifests.mark import is_hold
from orbit_release.releases.release import Release
from orbit_release.service import Service

Marks = Mapping[Repository, str | None]
Decide = Callable[[Tip], tuple[Marks, Mapping[str, str]]]  # the marks to set, and why services are left, by name


@dataclass(frozen=True, slots=True)
class HoldOutcome:
    """What hold or unhold did: the release (None: nothing to do), and why it left services as they are, by name.

    `unplaced` tells of the services, if all were meant, of which no place could take the mark.
    """

    published: Published | None
    left: Mapping[str, str]
    unplaced: InvalidError | None = None


def hold(
    source: Source, services: Sequence[Service], reason: str, *, everything: bool, publishing: Publishing
) -> HoldOutcome:
    """Hold services; those that are held keep their reason. InvalidError where a mark cannot stand.

    With `everything`, services that no manifest names are none to be held.
    """

    def decide(tip: Tip) -> tuple[Marks, Mapping[str, str]]:
        deployed = source.deployed(tip)
        certain, left = _certain(source, tip, services, everything=everything)
        there = [service for service in certain if deployed[service.repository]]
        if missing := [service for service in certain if service not in there and not everything]:
            raise source.not_named(tip, missing[0])
        held = _reasons(source, tip, there)
        marks = {service.repository: reason for service in there if service.name not in held}
        return marks, left | {name: f"is held already: {why}" for name, why in held.items()}

    return _publish_marks(source, services, decide, publishing, "hold", everything=everything)


def unhold(
    source: Source, everyone: Sequence[Service], reason: str | None, *, everything: bool, publishing: Publishing
) -> HoldOutcome:
    """Let go of services, of their pins as well, or take away only the holds with a certain reason.

    With `everything`, services that are not held are none to speak of.
    """

    def decide(tip: Tip) -> tuple[Marks, Mapping[str, str]]:
        services, uncertain = _certain(source, tip, everyone, everything=everything)
        held, back = _reasons(source, tip, services), moved_back(source, tip, services)
        # The end of a freeze leaves alone what somebody moved back or pinned in the meantime, or before.
        let_go, kept = ({}, back) if reason is not None else (back, {})
        pins = pin_marks(source, tip, services) if reason is None else {}
        due = held if reason is None else {name for name, why in held.items() if why == reason}
        free = {*due, *let_go, *(service.name for service in services if service.repository in pins)}
        freed = [service for service in services if service.name in free]
        moved = {service.repository: let_go[service.name] for service in freed if service.name in let_go}
        after = {repository: f"no, after {move.commit[:7]}" for repository, move in moved.items()}
        marks = {service.repository: None for service in freed} | pins | after
        stay = {**kept, **{name: why for name, why in held.items() if name not in free}}
        left = {service.name: f"stays held: {stay[service.name]}" for service in services if service.name in stay}
        idle = [] if everything else [service.name for service in services if service.name not in {*free, *stay}]
        return marks, uncertain | left | dict.fromkeys(idle, "is not held")

    return _publish_marks(source, everyone, decide, publishing, "unhold", everything=everything)


def _certain(
    source: Source, tip: Tip, services: Sequence[Service], *, everything: bool
) -> tuple[list[Service], dict[str, str]]:
    """Return the services of which it is certain what is deployed, and why the others are left, by name.

    InvalidError for one that was named.
    """
    deployed = source.deployed(tip)
    faults = {service.name: fault for service in services for fault in deployed.faults(service.repository)[:1]}
    for fault in faults.values() if not everything else ():
        raise fault
    certain = [service for service in services if service.name not in faults]
    return certain, {name: f"stays as it is: {fault.message}" for name, fault in faults.items()}


def next_releases(source: Source, published: Published) -> dict[str, str]:
    """Return what automation does next with each service whose hold was taken away."""
    holds = published.notes.holds
    free = {name for name, mark in holds.items() if mark is not None and not is_hold(mark)}
    plan = plan_unheld(source, source.config.select(list(holds)), published.tip, free)
    idle = {freed.service.name: f"there is nothing to release, {freed.reason}" for freed in plan.services}
    return idle | {freed.service.name: f"the next run releases {freed.tag}" for freed in plan.services if freed.tag}


def _publish_marks(
    source: Source, services: Sequence[Service], decide: Decide, publishing: Publishing, verb: str, *, everything: bool
) -> HoldOutcome:
    """Publish marks; if all services are meant, one without a place for its mark does not stop the others."""

    def attempt(tip: Tip) -> HoldOutcome:
        marks, left = decide(tip)
        release = release_on(source, tip, marks=marks)
        names, why = unmarked(services, release), "; ".join(place.why for place in release.unplaced)
        hint = "write the image on a line of its own, `image: NAME:TAG`; a bump by hand lets go of what moved back."
        unplaced = InvalidError(f"{', '.join(names)}: {why}", hint) if names else None
        if unplaced and not everything:
            raise unplaced
        return HoldOutcome(publish(source, tip, release, publishing, verb), left, unplaced)

    return publish_until_landed(source, publishing, attempt)


def held_marks(source: Source, tip: Tip, services: Sequence[Service]) -> Marks:
    """Return what takes the holds of services away."""
    held = _reasons(source, tip, services)
    return {service.repository: None for service in services if service.name in held}


def _reasons(source: Source, tip: Tip, services: Sequence[Service]) -> dict[str, str]:
    """Return the reasons of the services that are held, by name."""
    images = source.deployed(tip)
    holds = {service.name: [image.hold for image in images[service.repository]] for service in services}
    reasons = {name: [hold for hold in own if hold is not None] for name, own in holds.items()}
    return {name: own[0] for name, own in reasons.items() if own}


def unmarked(services: Sequence[Service], release: Release) -> list[str]:
    """Return the services of which no place could take a mark."""
    placed = {edit.repository for edit in release.marks}
    unplaced = {place.repository for place in release.unplaced} - placed
    return [service.name for service in services if service.repository in unplaced]
