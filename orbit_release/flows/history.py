"""history: what was deployed when, read from the manifests' own log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from orbit_release.adapters.git.clone import Clone, Tip
from orbit_release.adapters.git.raw import Blobs
from orbit_release.core.graph import Commit
from orbit_release.core.history import Change, Deployed, explain, replay
from orbit_release.core.image import Repository
from orbit_release.core.manifest import FoundImage, find_images
from orbit_release.core.plan import History
from orbit_release.core.service import Service
from orbit_release.errors import InvalidError
from orbit_release.flows.source import MANIFEST_ENDINGS, Source, commit_of

_AT_ONCE = 64  # commits whose manifests are read, and in a clone without blobs fetched, together


def history(source: Source, services: Sequence[Service], tip: Tip) -> dict[str, tuple[Deployed, ...]]:
    """Return, by service, what was deployed one after the other, oldest first."""
    git = source.git
    git.deepen()
    repositories = {service.repository for service in services}
    with git.log(tip.commit, [source.config.manifests]) as log:
        found = replay(reversed([*changes(git, log, repositories)]))
    references = {one.reference for stretches in found.values() for one in stretches}
    commits = {reference: commit_of(git, reference, None) for reference in references}
    graph = git.graph([tip.commit, *{commit for commit in commits.values() if commit}])
    return {service.name: explain(found.get(service.repository, ()), commits, graph) for service in services}


def changes(
    git: Clone, log: Iterator[tuple[Commit, tuple[Blobs, ...]]], repositories: set[Repository]
) -> Iterator[Change]:
    """Yield what each commit of a log did to the references of some repositories, newest first, as it is read."""

    @cache  # what a commit leaves behind is what the next one finds
    def images(path: str, blob: str | None) -> Sequence[FoundImage]:
        try:
            return find_images(git.blob(blob), path, repositories) if blob else ()
        except InvalidError:  # broken for a while: nothing was deployed from it
            return ()

    while some := [(commit, [*filter(_is_manifest, files)]) for commit, files in islice(log, _AT_ONCE)]:
        git.have(_blobs(files for _, files in some))
        for commit, files in some:
            paths = [(file.path.decode("utf-8", "surrogateescape"), file) for file in files]
            before = {path: images(path, file.before) for path, file in paths}
            after = {path: images(path, file.after) for path, file in paths}
            yield Change(commit, before, after)


def moved_back(source: Source, tip: Tip, services: Sequence[Service]) -> dict[str, str]:
    """Return, by service, how it moved back, where its newest change did and nobody has let go since.

    That counts as a hold: somebody reverted a release, and automation must not bring it back.
    """
    found = source.deployed(tip)
    newest = _newest_changes(source, tip, services, {one.path for s in services for one in found[s.repository]})
    # What begins where its manifest does may have come from another one.
    new = [s for s in services if s.repository in newest and not newest[s.repository].found_before(s.repository)]
    newest |= _newest_changes(source, tip, new, {source.config.manifests})
    ways = [
        (one.name, way) for one in services for way in _ways(source.git, newest.get(one.repository), one.repository)
    ]
    graph = source.git.history([commit for _, way in ways for commit in way.commits]) if ways else History()
    return {name: way.text for name, way in ways if graph.is_ancestor(*way.commits)}


def _newest_changes(source: Source, tip: Tip, services: Iterable[Service], paths: set[str]) -> dict[Repository, Change]:
    left, newest = {service.repository for service in services}, dict[Repository, Change]()
    if not left or not paths:
        return newest
    with source.git.log(tip.commit, sorted(paths)) as log:
        for change in changes(source.git, log, set(left)):
            found = {repository for repository in left if change.touches(repository)}
            newest |= dict.fromkeys(found, change)
            left -= found
            if not left:
                break
    return newest


@dataclass(frozen=True, slots=True)
class _Way:
    """A step between two references: the commits that the new and the old one name, and what it is if it went back."""

    commits: tuple[str, str]
    text: str


def _ways(git: Clone, change: Change | None, repository: Repository) -> Iterator[_Way]:
    for old, new in change.unmarked_steps(repository) if change else ():
        was, now = commit_of(git, old, None), commit_of(git, new, None)
        if change and was and now and was != now:
            yield _Way((now, was), f"moved back from {old.version} in {change.commit.name[:7]}")


def _is_manifest(file: Blobs) -> bool:
    return file.path.endswith(MANIFEST_ENDINGS)


def _blobs(changed: Iterable[Iterable[Blobs]]) -> set[str]:
    return {blob for files in changed for file in files for blob in (file.before, file.after) if blob}
