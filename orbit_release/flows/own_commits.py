"""The commits of a service: those that changed its inputs. Counts and lists are of these, wherever they are shown.

A monorepo's other commits come in with a release as well, but they are nothing to this service. A merge changed nothing
of its own, and a release changes no inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.git.graph import Commit
from orbit_release.manifests.objects import is_manifest
from orbit_release.planning.input_index import InputIndex
from orbit_release.releases.timeline import Stretch
from orbit_release.service import Service

Histories = Mapping[str, Sequence[Stretch]]
_TRAILER = "Orbit-Release"


@dataclass(frozen=True, slots=True)
class Way:
    """The way from one commit to another: the service's own commits that come in, or go out if it `is_back`."""

    is_back: bool
    commits: tuple[Commit, ...]


def ways(source: Source, tip: Tip, ends: Mapping[Service, tuple[str, str]]) -> dict[str, Way]:
    """Return, by service, the way from the first to the second of two commits.

    It takes a constant number of processes, however many services there are.
    """
    graph = source.git.history({commit for pair in ends.values() for commit in pair})

    @cache
    def between(base: str, head: str) -> Way:
        came = tuple(graph.between(base, head))
        is_back = base != head and not came
        return Way(is_back, tuple(graph.between(head, base)) if is_back else came)

    whole = {service.name: between(*pair) for service, pair in ends.items()}
    own = _own_commits(source, tip, [*ends], {commit.name for way in whole.values() for commit in way.commits})
    return {name: replace(way, commits=_kept(way.commits, own[name])) for name, way in whole.items()}


def own_histories(source: Source, tip: Tip, services: Sequence[Service], histories: Histories) -> Histories:
    """Return histories with the services' own commits only."""
    releases = [(name, stretch) for name, stretches in histories.items() for stretch in stretches]
    own: dict[str, list[Stretch]] = {name: [] for name in histories}
    for name, stretch in own_releases(source, tip, services, releases):
        own[name].append(stretch)
    return own


def own_releases(
    source: Source, tip: Tip, services: Sequence[Service], releases: Sequence[tuple[str, Stretch]]
) -> list[tuple[str, Stretch]]:
    """Return releases, each with the name of its service, with the services' own commits only."""
    names = {commit.name for _, stretch in releases for commit in stretch.commits}
    own = _own_commits(source, tip, services, names)
    return [(name, replace(stretch, commits=_kept(stretch.commits, own[name]))) for name, stretch in releases]


def _kept(commits: Iterable[Commit], own: set[str]) -> tuple[Commit, ...]:
    return tuple(commit for commit in commits if commit.name in own)


def _own_commits(source: Source, tip: Tip, services: Sequence[Service], commits: set[str]) -> dict[str, set[str]]:
    """Return, by service, those of some commits that are its own; what a release may edit is told by the tip."""
    git = source.git

    def has_own_ignore_file(service: Service) -> bool:
        return git.has_file(tip.commit, service.settings.own_ignore_file)

    index = InputIndex(services, has_own_ignore_file, source.is_edited(lambda: tip.commit))
    own: dict[str, set[str]] = {service.name: set() for service in services}
    with git.changed_in(commits) as changes:
        for commit, files in changes:
            names = {name for file in files for name in index.services_of(file.path)}
            # Manifests may have been elsewhere when it was made.
            is_release = names and all(is_manifest(file.path) for file in files) and git.has_trailer(commit, _TRAILER)
            for name in () if is_release else names:
                own[name].add(commit)
    return own
