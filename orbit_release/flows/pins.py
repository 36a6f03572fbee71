"""Pins: tags that somebody chose by hand. They hold a service until `unhold` lets automation take them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Repository
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.manifests.places import FoundImage
    from orbit_release.releases.timeline import Move


def free_pins(source: Source, tip: Tip, services: Sequence[Service]) -> frozenset[str]:
    """Return the names of the services whose pin automation may take over: somebody has let go of it since it is set.

    A mark that stood there before the pin was about something else.
    """
    marked = [service for service in services if any(map(_lets_go, source.deployed(tip)[service.repository]))]
    pins = _pins(source, tip, marked)
    moves = _moves(source, tip, pins) if pins else {}
    return frozenset(service.name for service, images in pins.items() if _is_free(images, moves.get(service)))


def pin_marks(source: Source, tip: Tip, services: Sequence[Service]) -> dict[Repository, str]:
    """Return the marks that let automation take over the pins of services; those that it may take have none."""
    free = free_pins(source, tip, services)
    pins = _pins(source, tip, [service for service in services if service.name not in free])
    stale = {service: images for service, images in pins.items() if any(map(_lets_go, images))}
    moves = _moves(source, tip, stale) if stale else {}
    # Where a mark of another time stands, another one must say that it is newer.
    after = {service: f"no, after {move.commit.name[:7]}" for service, move in moves.items()}
    return {service.repository: after.get(service, "no") for service in pins}


def marks_taken_over(source: Source, tip: Tip, services: Sequence[Service]) -> dict[Repository, None]:
    """Return what takes the marks away beside the pins of services: a later pin by hand holds again."""
    from orbit_release.releases.timeline import is_bare  # noqa: PLC0415  (comparing two trees reads no manifest)

    pins = _pins(source, tip, services)
    bare = (service for service, images in pins.items() if any(is_bare(image.mark) for image in images))
    return {service.repository: None for service in bare}


def _pins(source: Source, tip: Tip, services: Sequence[Service]) -> dict[Service, tuple[FoundImage, ...]]:
    """Return the images of the services that are pinned in at least one place."""
    deployed = {service: tuple(source.deployed(tip)[service.repository]) for service in services}
    return {service: images for service, images in deployed.items() if any(_is_pin(source, image) for image in images)}


def _is_pin(source: Source, image: FoundImage) -> bool:
    return source.config.tag_scheme.is_pin(image.reference.tag, source.commit_of(image.reference))


def _lets_go(image: FoundImage) -> bool:
    return image.mark is not None and image.hold is None


def _moves(source: Source, tip: Tip, pins: Mapping[Service, tuple[FoundImage, ...]]) -> dict[Service, Move]:
    from orbit_release.flows.reverted_releases import moves_at  # noqa: PLC0415  (few plans look at the history)

    moves = moves_at(source, tip, {service.repository: images for service, images in pins.items()})
    return {service: moves[service.repository] for service in pins if service.repository in moves}


def _is_free(images: Sequence[FoundImage], move: Move | None) -> bool:
    return move is None or move.is_let_go({image.mark for image in images})
