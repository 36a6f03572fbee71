"""Publishing over HTTP, as it goes to GitHub: passwords, refusals, broken servers, lost answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.monorepo import Monorepo, git, sha
from tests.servers.git_http import GitServer
from tests.servers.serving import serving

SECRET = "x-access-token:ghs_topsecret"


@pytest.fixture
def server(offline: Monorepo) -> Iterator[GitServer]:
    """Serve the monorepo's origin over HTTP and point its clone there."""
    git(offline.origin, "config", "http.receivepack", "true")
    with serving(GitServer(offline.origin.parent)) as server:
        offline.git("remote", "set-url", "origin", f"{server.url}/{offline.origin.name}")
        yield server


def tip(repo: Monorepo) -> str:
    return git(repo.origin, "rev-parse", "main")


def test_a_release_is_published_over_http(offline: Monorepo, server: GitServer) -> None:
    assert server.url
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify")
    assert ran.code == 0, ran.err
    assert offline.deployed()["api"] == sha(git(offline.origin, "rev-parse", "main~1"))


def test_a_token_travels_in_a_header_from_the_environment(offline: Monorepo, server: GitServer) -> None:
    server.credentials = SECRET
    header = f"Authorization: Basic {base64.b64encode(SECRET.encode()).decode()}"
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": header}
    assert replace(offline, extra=settings).run("bump", "api", sha(tip(offline)), "--no-verify").code == 0


def test_without_a_password_access_is_refused(offline: Monorepo, server: GitServer) -> None:
    server.credentials = SECRET
    ran = offline.run("bump", "api", sha(tip(offline)), "--no-verify", GIT_TERMINAL_PROMPT="0")
    assert ran.code == 8, ran.err
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["error", "hint"]


def test_a_password_in_the_address_is_never_printed(offline: Monorepo, server: GitServer) -> None:
    server.credentials = SECRET
    wrong = server.url.replace("http://", "http://x-access-token:ghs_wrongsecret@")
    offline.git("remote", "set-url", "origin", f"{wrong}/{offline.origin.name}")
    ran = offline.run("-v", "bump", "api", sha(tip(offline)), "--no-verify", GIT_TERMINAL_PROMPT="0")
    assert ran.code == 8
    assert "ghs_wrongsecret" not in ran.out + ran.err


@pytest.mark.parametrize(("status", "code"), [(403, 8), (404, 5), (500, 9), (503, 9)])
@pytest.mark.parametrize("where", ["git-upload-pack", "git-receive-pack"])
def test_a_servers_refusal_says_what_to_do(
    offline: Monorepo, server: GitServer, where: str, status: int, code: int
) -> None:
    before = tip(offline)
    server.faults[where] = status
    ran = offline.run("bump", "api", sha(before), "--no-verify")
    assert ran.code == code, ran.err
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["error", "hint"]
    assert tip(offline) == before


def test_a_push_whose_answer_is_lost_counts_when_it_arrived(offline: Monorepo, server: GitServer) -> None:
    before = tip(offline)
    server.faults[f"{offline.origin.name}/git-receive-pack"] = 0
    ran = offline.run("bump", "api", sha(before), "--no-verify")
    assert ran.code == 0, ran.err
    assert git(offline.origin, "rev-list", "--count", f"{before}..main") == "1"
