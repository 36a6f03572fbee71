"""The commits of a service's history that the figures count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.releases.timeline import Stretch
from orbit_release.service import Service

Histories = Mapping[str, Sequence[Stretch]]


def own_commits(source: Source, services: Sequence[Service], histories: Histories, tip: Tip) -> Histories:
    """Return histories with those commits only that changed an input of the service.

    A monorepo's other commits come in as well, but nobody waited for this service to release them.
    """
    git = source.git
    own = {service.name: git.has_file(tip.commit, service.settings.own_ignore_file) for service in services}
    changed: dict[str, set[str]] = {service.name: set() for service in services}
    with git.all_commits(tip.commit) as commits:
        for commit, files in commits:
            for service in services:
                if any(service.is_input(file.path, own_ignore_file=own[service.name]) for file in files):
                    changed[service.name].add(commit)
    return {
        name: tuple(
            replace(stretch, commits=tuple(commit for commit in stretch.commits if commit.name in changed[name]))
            for stretch in stretches
        )
        for name, stretches in histories.items()
    }
