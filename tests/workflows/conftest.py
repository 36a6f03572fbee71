"""GitHub around a monorepo whose services are all released."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.monorepo import Monorepo, git
from tests.servers import git_http, github
from tests.servers.serving import serving
from tests.workflows.machine import Site
from tests.workflows.world import World


@pytest.fixture
def world(tmp_path: Path, registry_host: str, docker_host: str) -> Iterator[World]:
    """Serve the origin as GitHub does: any commit may be fetched, also what no branch leads to any more."""
    repo = Monorepo.create(tmp_path, f"{registry_host}/{uuid4().hex}")
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "http.receivepack"):
        git(repo.origin, "config", setting, "true")
    (tmp_path / "hub/octo").mkdir(parents=True)
    (tmp_path / "hub/octo/orbit").symlink_to(repo.origin)
    server = git_http.GitServer(tmp_path / "hub", f"x-access-token:{github.TOKEN}")
    with serving(server), github.running(github.GitHubServer(repo.origin, "octo/orbit")) as api:
        world = World(repo, Site(server.url, api.url, "octo/orbit", github.TOKEN), api, tmp_path / "runs")
        world.release_all()
        yield world
