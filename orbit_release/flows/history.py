"""history: what was deployed when, read from the manifests' own log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from orbit_release.errors import InvalidError
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.graph import Commit
from orbit_release.git.plumbing_output import Blobs
from orbit_release.image import Repository
from orbit_release.manifests.objects import is_manifest
from orbit_release.manifests.rewrite import find_images
from orbit_release.releases.timeline import Images, LoggedImages, Stretch, explain, replay
from orbit_release.service import Service

_AT_ONCE = 64  # commits whose manifests are read, and in a clone without blobs fetched, together


def history(source: Source, services: Sequence[Service], tip: Tip) -> dict[str, tuple[Stretch, ...]]:
    """Return, by service, what was deployed one after the other, oldest first."""
    git = source.git
    git.deepen()
    repositories = {service.repository for service in services}
    with git.log(tip.commit, source.manifest_folders(tip)) as log:
        deployed = replay(reversed([*read_changes(git, log, repositories)]))
    references = {stretch.reference for stretches in deployed.values() for stretch in stretches}
    commits = {reference: source.commit_of(reference) for reference in references}
    graph = git.history({tip.commit, *filter(None, commits.values())})
    return {service.name: explain(deployed.get(service.repository, ()), commits, graph) for service in services}


def read_changes(
    git: Clone, log: Iterator[tuple[Commit, tuple[Blobs, ...]]], repositories: set[Repository]
) -> Iterator[LoggedImages]:
    """Yield what each commit of a log did to the references of some repositories, newest first, as it is read."""

    @cache  # what a commit leaves behind is what the next one finds
    def images(path: str, blob: str | None) -> Images | None:
        try:
            return find_images(git.blob(blob), path, repositories) if blob else ()
        except InvalidError:
            return None

    while batch := [
        (commit, [file for file in files if is_manifest(file.path)]) for commit, files in islice(log, _AT_ONCE)
    ]:
        git.have({blob for _, files in batch for file in files for blob in (file.before, file.after) if blob})
        for commit, files in batch:
            paths = [(file.path.decode("utf-8", "surrogateescape"), file) for file in files]
            before = {path: images(path, file.before) for path, file in paths}
            after = {path: images(path, file.after) for path, file in paths}
            yield LoggedImages(commit, before, after)
