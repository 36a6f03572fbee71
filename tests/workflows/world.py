"""A monorepo at GitHub, what is deployed of it, and the runs of the workflow on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.integration.monorepo import FOLDER, SERVICES, Monorepo, git, pushed, sha
from tests.integration.test_build import served
from tests.servers.github import GitHubServer
from tests.workflows.machine import Site
from tests.workflows.runner import Event, Run


@dataclass(frozen=True)
class World:
    """A monorepo, GitHub around it, and a folder for what runs leave behind."""

    repo: Monorepo
    site: Site
    api: GitHubServer
    folder: Path

    @property
    def tip(self) -> str:
        return git(self.repo.origin, "rev-parse", "main")

    def push(self, files: Mapping[str, str | bytes | None], message: str = "change") -> Run:
        """Push a commit on top of main, and return the run that it starts."""
        self.repo.git("fetch", "-q", "origin", "main")
        self.repo.git("reset", "-q", "--hard", "FETCH_HEAD")
        return self.run(self.repo.push(message, files))

    def run(self, commit: str, inputs: Mapping[str, Any] | None = None, ref: str = "refs/heads/main") -> Run:
        return Run(self.site, self.folder / uuid4().hex, Event(commit, ref, inputs))

    def manifests(self) -> dict[str, str]:
        return {name: self.repo.at_origin(f"{FOLDER}/{name}.yaml") for name in SERVICES}

    def images(self) -> dict[str, str | None]:
        """Return what `latest` of each service is."""
        return {name: served(self.repo, name, "latest") for name in SERVICES}

    def state(self) -> dict[str, object]:
        """Return what a run that changes nothing leaves as it is."""
        return {"tip": self.tip, "manifests": self.manifests(), "latest": self.images()}

    def release_all(self) -> None:
        """Put images into the registry and their tags into the manifests, as earlier runs would have."""
        first = self.repo.git("rev-parse", "HEAD")
        for name in SERVICES:
            for tag in (sha(first), "latest"):
                pushed(self.repo, name, first, tag)
        self.repo.deploy(**dict.fromkeys(SERVICES, sha(first)))
