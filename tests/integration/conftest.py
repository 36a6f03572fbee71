"""Fixtures that need git, and an engine or a registry only where they say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.argocd import NOBODY, Serve
from tests.integration.hub import Hub
from tests.integration.monorepo import Monorepo
from tests.servers.argocd import TOKEN
from tests.servers.argocd_life import LivingServer, Step
from tests.servers.github import GitHubServer, running
from tests.servers.serving import serving


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


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return what serves the life of an application; what it was asked and has answered is as Argo CD's own."""
    servers: list[LivingServer] = []
    with ExitStack() as opened:

        def start(*life: Step) -> dict[str, Any]:
            server = LivingServer(*life)
            servers.append(server)
            opened.enter_context(serving(server, server.stopping))
            return {"ARGOCD_SERVER": server.host, "ARGOCD_AUTH_TOKEN": TOKEN, "ARGOCD_OPTS": "--plaintext"}

        yield start
    assert [violation for server in servers for violation in server.violations] == []
