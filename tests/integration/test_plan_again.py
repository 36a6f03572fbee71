"""`plan --force`, and where the matrix lets `latest` move: what a workflow asks when runs come late or twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.monorepo import Monorepo, pushed, sha


def planned(repo: Monorepo, *arguments: str) -> dict[str, dict[str, Any]]:
    ran = repo.run("plan", "--registry", "--format", "json", *arguments)
    assert ran.out, ran.err
    return {one["name"]: one for one in json.loads(ran.out)["services"]}


def tags(repo: Monorepo, *arguments: str) -> dict[str, list[str]]:
    """Return the tags of each job of the matrix."""
    ran = repo.run("plan", "--format", "matrix", *arguments)
    assert ran.code == 0, ran.err
    return {
        job["service"]: [tag.rpartition(":")[2] for tag in job["tags"].split()]
        for job in json.loads(ran.out)["include"]
    }


def test_force_builds_what_is_current_and_what_is_built(monorepo: Monorepo) -> None:
    commit = monorepo.git("rev-parse", "HEAD")
    for name in ("web", "api"):
        pushed(monorepo, name, commit)
    monorepo.deploy(web=sha(commit))
    assert {name: one["action"] for name, one in planned(monorepo).items()} == {
        "web": "current",
        "api": "release",
        "worker": "build",
    }
    forced = planned(monorepo, "--force")
    assert {(one["action"], one["target"]) for one in forced.values()} == {("build", commit)}
    assert forced["web"]["reason"] == f"forced; no input changed since {sha(commit)}"
    assert planned(monorepo, "--force", "web").keys() == {"web"}


def test_force_leaves_alone_what_is_held_absent_or_older_than_what_is_deployed(monorepo: Monorepo) -> None:
    old = monorepo.git("rev-parse", "HEAD")
    new = monorepo.push("web", {"web/a": "1", "services/worker/Dockerfile": None})
    monorepo.deploy(web=sha(new), api="v1")
    actions = {name: one["action"] for name, one in planned(monorepo, "--force", "--head", old).items()}
    assert actions == {"web": "current", "api": "held", "worker": "build"}
    assert planned(monorepo, "--force")["worker"]["action"] == "absent"


def test_force_never_overwrites_an_image_of_another_commit(monorepo: Monorepo) -> None:
    commit = monorepo.git("rev-parse", "HEAD")
    pushed(monorepo, "web", "f" * 40, sha(commit))
    monorepo.deploy(web=sha(commit))
    found = planned(monorepo, "--force", "web")["web"]
    assert (found["action"], "was built from fff" in found["reason"]) == ("held", True)


def test_a_superseded_head_is_not_forced(monorepo: Monorepo) -> None:
    lost = monorepo.push("lost", {"web/a": "1"})
    monorepo.git("reset", "-q", "--hard", "HEAD~1")
    monorepo.commit("instead", {"web/b": "1"})
    monorepo.git("push", "-qf", "origin", "HEAD:main")
    assert {one["action"] for one in planned(monorepo, "--force", "--head", lost).values()} == {"current"}


def test_latest_moves_with_a_build_that_is_newer_and_stays_with_one_that_is_older(monorepo: Monorepo) -> None:
    old = monorepo.git("rev-parse", "HEAD")
    new = monorepo.push("web", {"web/a": "1"})
    pushed(monorepo, "api", "e" * 40, "latest")  # of a commit that nobody knows
    pushed(monorepo, "web", new, "latest")
    assert tags(monorepo, "--registry", "--head", old)["web"] == [sha(old)]
    assert tags(monorepo, "--registry") == {
        "web": [sha(new), "latest"],
        "api": [sha(old), "latest"],
        "worker": [sha(old), "latest"],
    }


def test_without_the_registry_every_build_moves_latest(offline: Monorepo) -> None:
    commit = sha(offline.git("rev-parse", "HEAD"))
    assert tags(offline) == {name: [commit, "latest"] for name in ("web", "api", "worker")}


def test_latest_never_moves_to_a_commit_that_is_not_merged(monorepo: Monorepo) -> None:
    commit = monorepo.commit("not pushed", {"web/a": "1"})
    assert tags(monorepo, "--registry", "web") == {"web": [sha(commit)]}


@pytest.mark.parametrize("pending", [True, False])
def test_a_tag_of_another_image_stops_a_workflow_only_where_nothing_else_is_to_be_done(
    monorepo: Monorepo,
    pending: bool,  # noqa: FBT001
) -> None:
    commit = monorepo.git("rev-parse", "HEAD")
    pushed(monorepo, "web", "f" * 40, sha(commit))
    monorepo.deploy(**dict.fromkeys(("api",) if pending else ("api", "worker"), sha(commit)))
    ran = monorepo.run("plan", "--format", "github", "--fetch")
    assert (ran.code, "was built from fff" in ran.err) == (0 if pending else 6, True)
    assert "any<<" in ran.out
