"""history: what was deployed when, read from the manifests' own log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError
from orbit_release.flows.source import Source, commit_of
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.graph import Commit
from orbit_release.git.listings import Blobs
from orbit_release.image import Repository
from orbit_release.manifests.names import is_manifest
from orbit_release.manifests.rewrite import find_images
from orbit_release.releases.timeline import (
    Deployed,
    Images,
    LoggedImages,
    Move,
    explain,
    is_fixed,
    newest_moves,
    replay,
)
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry

_AT_ONCE = 64  # commits whose manifests are read, and in a clone without blobs fetched, together


def history(source: Source, services: Sequence[Service], tip: Tip) -> dict[str, tuple[Deployed, ...]]:
    """Return, by service, what was deployed one after the other, oldest first."""
    git = source.git
    git.deepen()
    repositories = {service.repository for service in services}
    with git.log(tip.commit, source.manifest_folders(tip)) as log:
        found = replay(reversed([*changes(git, log, repositories)]))
    references = {one.reference for stretches in found.values() for one in stretches}
    commits = {reference: commit_of(git, reference, None) for reference in references}
    graph = git.history([tip.commit, *{commit for commit in commits.values() if commit}])
    return {service.name: explain(found.get(service.repository, ()), commits, graph) for service in services}


def changes(
    git: Clone, log: Iterator[tuple[Commit, tuple[Blobs, ...]]], repositories: set[Repository]
) -> Iterator[LoggedImages]:
    """Yield what each commit of a log did to the references of some repositories, newest first, as it is read."""

    @cache  # what a commit leaves behind is what the next one finds
    def images(path: str, blob: str | None) -> Images | None:
        try:
            return find_images(git.blob(blob), path, repositories) if blob else ()
        except InvalidError:
            return None

    while some := [
        (commit, [file for file in files if is_manifest(file.path)]) for commit, files in islice(log, _AT_ONCE)
    ]:
        git.have(_blobs(files for _, files in some))
        for commit, files in some:
            paths = [(file.path.decode("utf-8", "surrogateescape"), file) for file in files]
            before = {path: images(path, file.before) for path, file in paths}
            after = {path: images(path, file.after) for path, file in paths}
            yield LoggedImages(commit, before, after)


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
    """Return the services that moved back, where nobody has let go since.

    That counts as a hold: somebody reverted a release, and automation must not bring it back.
    """
    deployed = source.deployed(tip)
    now = {service.repository: tuple(deployed[service.repository]) for service in services}
    moves = _moves(source, tip, now)
    held = {
        service: move
        for service in services
        if (move := moves.get(service.repository))
        and is_fixed(move.gone[0].reference)
        and move.is_held({one.mark for one in now[service.repository]})
    }
    back = _back(source, tip, held, registry)
    return {one.name: MovedBack(move.gone[0].reference.version, move.commit.name) for one, move in back.items()}


def _moves(source: Source, tip: Tip, now: Mapping[Repository, Images]) -> dict[Repository, Move]:
    """Look where the services are deployed now; what begins there may have come from another manifest."""
    git = source.git
    with git.log(tip.commit, sorted({image.path for images in now.values() for image in images})) as log:
        found = newest_moves(changes(git, log, {*now}), now) if any(now.values()) else {}
    left = {repository: images for repository, images in now.items() if images and repository not in found}
    if left:
        with git.log(tip.commit, source.manifest_folders(tip)) as log:
            found |= newest_moves(changes(git, log, {*left}), left)
    return found


def _back(source: Source, tip: Tip, moves: Mapping[Service, Move], registry: Registry | None) -> dict[Service, Move]:
    """Return the moves to an older commit, or from a commit to no certain image."""
    git = source.git
    pairs = {service: _commits(git, move, registry) for service, move in moves.items()}
    known = [(service, was, now) for service, (was, now) in pairs.items() if was and now]
    graph = git.history([commit for _, was, now in known for commit in (was, now)])
    back = {service for service, was, now in known if was != now and graph.is_ancestor(now, was)}
    unknown = [one for one in moves if None in pairs[one]]
    back |= {one for one in unknown if pairs[one][0] and not is_fixed(moves[one].new[0].reference)}
    histories = history(source, [one for one in unknown if one not in back], tip) if {*unknown} - back else {}
    back |= {one for one in unknown if histories.get(one.name, ()) and histories[one.name][-1].is_rollback}
    return {service: move for service, move in moves.items() if service in back}


def _commits(git: Clone, move: Move, registry: Registry | None) -> tuple[str | None, str | None]:
    was, now = (commit_of(git, images[0].reference, registry) for images in (move.gone, move.new))
    return was, now


def _blobs(changed: Iterable[Iterable[Blobs]]) -> set[str]:
    return {blob for files in changed for file in files for blob in (file.before, file.after) if blob}
