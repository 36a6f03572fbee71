"""Services that somebody moved back, by reverting a release say: that counts as a hold, until somebody lets go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.flows.history import history, read_changes
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Repository
from orbit_release.releases.timeline import Images, Move, is_fixed, newest_moves
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry


@dataclass(frozen=True, slots=True)
class MovedBack:
    """The version that a service moved back from, and the commit that did it (its full name)."""

    version: str
    commit: str

    def __str__(self) -> str:
        return f"moved back from {self.version} in {self.commit[:7]}"


def moved_back(
    source: Source, tip: Tip, services: Sequence[Service], registry: Registry | None = None
) -> dict[str, MovedBack]:
    """Return the services that moved back, where nobody has let go since."""
    deployed = source.deployed(tip)
    now = {service.repository: tuple(deployed[service.repository]) for service in services}
    moves = moves_at(source, tip, now)
    holding = {
        service: move
        for service in services
        if (move := moves.get(service.repository))
        and is_fixed(move.gone[0].reference)
        and move.is_held({image.mark for image in now[service.repository]})
    }
    back = _only_back(source, tip, holding, registry)
    return {
        service.name: MovedBack(move.gone[0].reference.version, move.commit.name)
        for service, move in holding.items()
        if service in back
    }


def moves_at(source: Source, tip: Tip, now: Mapping[Repository, Images]) -> dict[Repository, Move]:
    """Return the newest move of each repository, of which the images at the tip are given.

    We look where the services are deployed now; what begins there may have come from another manifest.
    """
    git = source.git
    with git.log(tip.commit, sorted(source.deployed(tip).made_of(now))) as log:
        moves = newest_moves(read_changes(source, tip, log, {*now}), now) if any(now.values()) else {}
    left = {repository: images for repository, images in now.items() if images and repository not in moves}
    if left:
        with git.log(tip.commit, source.manifest_paths(tip)) as log:
            moves |= newest_moves(read_changes(source, tip, log, {*left}), left)
    return moves


def _only_back(source: Source, tip: Tip, moves: Mapping[Service, Move], registry: Registry | None) -> set[Service]:
    """Return the services that moved to an older commit, or from a commit to no certain image."""
    pairs = {
        service: [source.commit_of(images[0].reference, registry) for images in (move.gone, move.new)]
        for service, move in moves.items()
    }
    known = {service: (was, now) for service, (was, now) in pairs.items() if was and now}
    ancestry = source.git.history([commit for pair in known.values() for commit in pair])
    back = {service for service, (was, now) in known.items() if was != now and ancestry.is_ancestor(now, was)}
    unknown = [service for service in moves if service not in known]
    back |= {service for service in unknown if pairs[service][0] and not is_fixed(moves[service].new[0].reference)}
    unclear = [service for service in unknown if service not in back]
    histories = history(source, unclear, tip) if unclear else {}
    return back | {service for service in unclear if (seen := histories[service.name]) and seen[-1].is_rollback}
