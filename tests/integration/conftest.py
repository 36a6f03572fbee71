"""Fixtures that need git, and an engine or a registry only where they say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.hub import Hub
from tests.integration.monorepo import Monorepo
from tests.servers.github import GitHubServer, running

NOBODY = "127.0.0.1:9"  # the discard port: nothing answers


@pytest.fixture
def offline(tmp_path: Path) -> Monorepo:
    """Return a monorepo whose registry does not answer: for what must never ask it."""
    return Monorepo.create(tmp_path, NOBODY)


@pytest.fixture
def monorepo(tmp_path: Path, registry_host: str) -> Monorepo:
    """Return a monorepo whose images live in a folder of their own of the real registry."""
    return Monorepo.create(tmp_path, f"{registry_host}/{uuid4().hex}")


@pytest.fixture
def hub(monorepo: Monorepo) -> Iterator[Hub]:
    """Return a monorepo whose origin is at a server that speaks GitHub's API."""
    with running(GitHubServer(monorepo.origin)) as server:
        yield Hub(monorepo, server)
