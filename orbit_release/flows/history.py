"""history: what was deployed when, read from the manifests' own log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from orbit_release.flows.manifests_backwards import ManifestsBackwards
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.git.graph import Commit
from orbit_release.git.plumbing_output import Blobs
from orbit_release.image import Repository
from orbit_release.releases.timeline import LoggedImages, Stretch, explain, replay
from orbit_release.service import Service

_AT_ONCE = 64  # commits whose manifests are read, and in a clone without blobs fetched, together


def history(source: Source, services: Sequence[Service], tip: Tip) -> dict[str, tuple[Stretch, ...]]:
    """Return, by service, what was deployed one after the other, oldest first."""
    git = source.git
    git.deepen()
    repositories = {service.repository for service in services}
    with git.log(tip.commit, source.manifest_paths(tip)) as log:
        deployed = replay(reversed([*read_changes(source, tip, log, repositories)]))
    references = {stretch.reference for stretches in deployed.values() for stretch in stretches}
    commits = {reference: source.commit_of(reference) for reference in references}
    graph = git.history({tip.commit, *filter(None, commits.values())})
    return {service.name: explain(deployed.get(service.repository, ()), commits, graph) for service in services}


def read_changes(
    source: Source,
    tip: Tip,
    log: Iterator[tuple[Commit, tuple[Blobs, ...]]],
    repositories: set[Repository],
) -> Iterator[LoggedImages]:
    """Yield what each commit of a log did to the references of some repositories, newest first, as it is read."""
    manifests = ManifestsBackwards(source, tip, repositories)
    while batch := list(islice(log, _AT_ONCE)):
        source.git.have({blob for _, files in batch for file in files for blob in (file.before, file.after) if blob})
        for commit, files in batch:
            yield LoggedImages(commit, *manifests.go_back(files))
