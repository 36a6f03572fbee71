"""`status`: how services stand, with a real registry and GitHub's server, and without them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.monorepo import FOLDER, SERVICES, Monorepo, Ran, git, pushed, sha
from tests.servers import github as faults
from tests.servers.github import TOKEN, GitHubServer, running


def services(ran: Ran) -> dict[str, Any]:
    assert ran.out, ran.err
    return {one["name"]: one for one in json.loads(ran.out)["services"]}


def status(repo: Monorepo, *arguments: str, **extra: Any) -> dict[str, Any]:
    return services(repo.run("status", "--fetch", "--format", "json", *arguments, **extra))


def states(repo: Monorepo) -> dict[str, str]:
    """Return the last column of the table, which has only one word in the columns before."""
    ran = repo.run("status", "--fetch")
    rows = [line.split(maxsplit=7) for line in ran.out.splitlines()[1:]]
    return {row[0]: row[7] for row in rows}


@pytest.fixture
def tag(monorepo: Monorepo) -> str:
    """Release all services, and return their tag."""
    commit = monorepo.git("rev-parse", "HEAD")
    for name in SERVICES:
        pushed(monorepo, name, commit)
    monorepo.deploy(**dict.fromkeys(SERVICES, sha(commit)))
    return sha(commit)


def test_what_is_up_to_date_and_what_is_behind(monorepo: Monorepo, tag: str) -> None:
    release = git(monorepo.origin, "rev-parse", "main")
    monorepo.push("api", {"services/api/a": "1"})
    newer = monorepo.push("api again", {"services/api/a": "2"})
    found = status(monorepo)
    assert {name: (one["action"], one["behind"]) for name, one in found.items()} == {
        "web": ("current", 0),
        "api": ("build", 2),
        "worker": ("current", 0),
    }
    assert (found["api"]["target"], found["api"]["deployed"]) == (sha(newer), f"{monorepo.host}/orbit/api:{tag}")
    assert (found["api"]["release"], found["web"]["target"]) == (release, None)
    assert states(monorepo) == {"web": "current", "api": "2 commits behind", "worker": "current"}


def test_what_the_registry_has_and_lacks(monorepo: Monorepo, tag: str) -> None:
    digest = pushed(monorepo, "api", monorepo.git("rev-parse", tag.removeprefix("sha-")))
    monorepo.deploy(web="v9")
    found = status(monorepo)
    assert (found["api"]["digest"], found["api"]["missing"]) == (str(digest), False)
    assert (found["web"]["digest"], found["web"]["missing"]) == (None, True)
    assert "missing" in monorepo.run("status", "web", "--fetch").out


def test_the_exit_code_tells_whether_something_is_due(monorepo: Monorepo, tag: str) -> None:
    assert monorepo.run("status", "--fetch", "--exit-code").code == 0
    monorepo.push("api", {"services/api/a": "1"})
    assert monorepo.run("status", "--fetch", "--exit-code").code == 1
    assert monorepo.run("status", "--fetch", "--exit-code", "web").code == 0
    assert monorepo.run("status", "--fetch").code == 0
    monorepo.deploy(web=f"{tag}1")
    assert monorepo.run("status", "--fetch", "--exit-code", "web").code == 1  # the image is missing


def test_a_hold_is_told_with_how_far_behind_it_keeps_the_service(monorepo: Monorepo, tag: str) -> None:
    monorepo.push("api", {"services/api/a": "1"})
    monorepo.run("hold", "api", "-m", "load test")
    monorepo.run("hold", "web", "-m", "freeze")
    monorepo.git("pull", "-q", "origin", "main")
    monorepo.deploy(worker="v1.0")
    assert states(monorepo) == {
        "web": "held: freeze",
        "api": "held: load test (1 commit behind)",
        "worker": "held: pinned to v1.0 by hand",
    }


def test_what_was_never_released_and_what_is_not_there(monorepo: Monorepo) -> None:
    monorepo.push("away", {"services/worker/Dockerfile": None, f"{FOLDER}/web.yaml": None})
    found = monorepo.run("status", "--fetch").out
    assert "never released: deployed is latest" in found
    assert "no services/worker/Dockerfile at" in found
    assert f"no manifest names {monorepo.host}/orbit/web" in found


def test_without_network_it_tells_what_git_knows(offline: Monorepo) -> None:
    offline.deploy(api=sha(offline.git("rev-parse", "HEAD")))
    offline.git("fetch", "-q")
    offline.origin.rename(offline.origin.with_name("gone"))
    ran = offline.run("status")
    assert (ran.code, "not asked: 127.0.0.1:9: " in ran.err) == (0, True)
    assert "not asked: open pull requests: no GITHUB_TOKEN" in ran.err
    row = next(line for line in ran.out.splitlines() if line.startswith("api "))
    assert row.split(maxsplit=7)[6:] == ["?", "current"]
    ran = offline.run("status", "--offline")
    assert (ran.code, ran.err) == (0, "not asked: the registry and GitHub: --offline\n")


def test_an_open_pull_request_is_named(monorepo: Monorepo, tag: str) -> None:
    commit = monorepo.push("api", {"services/api/a": "1"})
    pushed(monorepo, "api", commit)
    with running(GitHubServer(monorepo.origin)) as server:
        extra: Any = {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "octo/orbit", "GITHUB_TOKEN": TOKEN}
        assert monorepo.run("bump", "--built", "api", "--pr", **extra).code == 0
        found = status(monorepo, **extra)
        assert {name: one["pull_request"] for name, one in found.items()} == {
            "web": None,
            "api": "https://github.invalid/octo/orbit/pull/1",
            "worker": None,
        }
        server.fail("pulls/list", faults.BAD_CREDENTIALS)
        ran = monorepo.run("status", **extra)
        assert (ran.code, "not asked: open pull requests: " in ran.err) == (0, True)


def test_an_unknown_service(offline: Monorepo) -> None:
    assert offline.run("status", "nope").code == 2
