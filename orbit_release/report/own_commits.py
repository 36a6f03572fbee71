"""report: what the figures are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.releases.timeline import Deployed
from orbit_release.service import Service

Histories = Mapping[str, Sequence[Deployed]]


def own_commits(source: Source, services: Sequence[Service], histories: Histories, tip: Tip) -> Histories:
    """Return histories with those commits only that changed an input of the service.

    A monorepo's other commits come in as well, but nobody waited for this service to release them.
    """
    git = source.git
    own = {one.name: git.has_file(tip.commit, one.settings.own_ignore_file) for one in services}
    changed: dict[str, set[str]] = {service.name: set() for service in services}
    with git.all_commits(tip.commit) as commits:
        for commit, files in commits:
            for one in services:
                if any(one.is_input(file.path, own_ignore_file=own[one.name]) for file in files):
                    changed[one.name].add(commit)
    return {name: _only(stretches, changed[name]) for name, stretches in histories.items()}


def _only(stretches: Sequence[Deployed], changed: set[str]) -> tuple[Deployed, ...]:
    return tuple(replace(one, commits=tuple(c for c in one.commits if c.name in changed)) for one in stretches)
