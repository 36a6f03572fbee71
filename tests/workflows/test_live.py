"""The job Release waits until Argo CD runs the release, where a server and a token are set, and only there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.monorepo import CONFIG, git, sha
from tests.manual import DOCS
from tests.servers.argocd import LOGIN, TOKEN
from tests.servers.argocd_life import LivingServer, Stage, Step
from tests.servers.serving import serving
from tests.workflows.runner import WORKFLOW, Run
from tests.workflows.test_run import BROKEN, assert_run
from tests.workflows.world import World

HEADER = "access-topsecret"
ILL = ("Degraded", 'Deployment "web" exceeded its progress deadline')

Live = Callable[..., LivingServer]


@pytest.fixture
def argocd(world: World) -> Iterator[Live]:
    """Return what serves the life of the application behind an access proxy, and tells the repository of it."""
    settings = CONFIG.format(host=world.repo.host) + "argocd: {application: orbit, project: applications}\n"
    world.push({"orbit-release.yaml": settings})
    with ExitStack() as opened:

        def start(*life: Step) -> LivingServer:
            server = LivingServer(*life)
            opened.enter_context(serving(server, server.stopping))
            server.needed["X-Access"] = HEADER
            world.site.variables["ARGOCD_SERVER"] = server.host
            world.site.secrets["ARGOCD_AUTH_TOKEN"] = TOKEN
            world.site.secrets["ARGOCD_OPTS"] = f"--plaintext --header 'X-Access: {HEADER}'"
            return server

        yield start


def at_tip(world: World, **changes: Any) -> Stage:
    """Return the application that has synced whatever main has, but for some changes."""
    images = tuple(f"{world.repo.host}/orbit/{name}:{tag}" for name, tag in world.repo.deployed().items())
    return Stage(world.tip, operated=world.tip, images=images, **changes)


def test_a_release_is_waited_for_and_the_summary_says_how_it_ended(world: World, argocd: Live) -> None:
    server = argocd(lambda: at_tip(world))
    run = world.push({"web/index.html": "1"}).play()
    assert_run(run, "success", "Plan", "Build web", "Release")
    assert (server.refreshes, server.violations) == ([True], [])
    summary = run["Release"].summary
    assert f"### Live: `orbit` at `{world.tip[:7]}`" in summary
    assert f"| `web` | `{sha(run.event.sha)}` | running |" in summary
    masks = [line for line in run["Release"].log.splitlines() if HEADER in line or TOKEN in line]
    assert masks == [f"::add-mask::{TOKEN}", f"::add-mask::{HEADER}"]


@pytest.mark.parametrize("unset", ["ARGOCD_SERVER", "ARGOCD_AUTH_TOKEN"])
def test_without_a_server_or_a_token_nobody_waits(world: World, argocd: Live, unset: str) -> None:
    server = argocd(lambda: at_tip(world))
    world.site.variables.pop(unset, None)
    world.site.secrets.pop(unset, None)
    run = world.push({"web/index.html": "1"}).play()
    assert_run(run, "success", "Plan", "Build web", "Release")
    assert (server.asked, "ive:" in run["Release"].summary) == ([], False)


def test_a_release_that_does_not_run_makes_the_run_red_and_stays(world: World, argocd: Live) -> None:
    argocd(lambda: at_tip(world, phase="Failed", health={"Deployment/web": ILL}, since=25))
    run = world.push({"web/index.html": "1"}).play()
    assert_run(run, "failure", "Plan", "Build web", "Release")
    assert world.repo.deployed()["web"] == sha(run.event.sha)
    (annotation,) = run.annotations
    assert annotation.endswith("hint: orbit-release rollback web")
    assert f"### Not live: `orbit` at `{world.tip[:7]}`" in run["Release"].summary


def taking_back(folder: Path) -> Path:
    """Return the workflow with the line that the manual adds to it."""
    (line,) = re.findall(
        r"(?m)^(ORBIT_RELEASE_BUMP_ROLLBACK_ON_FAILURE: .*)$", (DOCS / "github-actions.md").read_text()
    )
    text = WORKFLOW.read_text()
    wait = re.search(r"(?m)^( +)ORBIT_RELEASE_BUMP_WAIT: .*\n", text)
    assert wait
    changed = folder / "workflow.yml"
    changed.write_text(f"{text[: wait.end()]}{wait[1]}{line}\n{text[wait.end() :]}")
    return changed


def test_a_run_may_take_back_what_fails(world: World, argocd: Live, tmp_path: Path) -> None:
    before = world.repo.deployed()
    argocd(lambda: at_tip(world, phase="Failed", health={"Deployment/web": ILL}, since=25))
    event = world.push({"web/index.html": "1"}).event
    run = Run(world.site, tmp_path / "runs", event, path=taking_back(tmp_path)).play()
    assert_run(run, "failure", "Plan", "Build web", "Release")
    assert world.repo.deployed() == before
    assert git(world.repo.origin, "log", "-2", "--format=%an %s", "main").splitlines() == [
        f"github-actions[bot] rollback: web {before['web']}",
        f"github-actions[bot] release: web {sha(run.event.sha)}",
    ]
    assert_run(world.run(world.tip).play(), "success", "Plan")  # it is held


def test_what_is_missing_and_what_does_not_run_are_both_told(world: World, argocd: Live) -> None:
    argocd(lambda: at_tip(world, phase="Failed", health={"Deployment/web": ILL}, since=25))
    run = world.push({"services/api/Dockerfile": BROKEN, "web/index.html": "1"}).play()
    assert_run(run, "failure", "Plan", "Build web", "Build api", "Release")
    missing, unhealthy = run["Release"].annotations
    assert "not in the registry: " in missing
    assert "does not run" in unhealthy


def test_where_nothing_was_released_for_a_fault_nobody_waits(world: World, argocd: Live) -> None:
    server = argocd(lambda: at_tip(world))
    run = world.push({"services/api/Dockerfile": BROKEN}).play()
    assert_run(run, "failure", "Plan", "Build api", "Release")
    assert server.asked == []


def test_a_job_that_is_run_again_waits_for_what_it_released_before(world: World, argocd: Live) -> None:
    argocd(LOGIN, lambda: at_tip(world))
    red = world.push({"web/index.html": "1"}).play()
    assert_run(red, "failure", "Plan", "Build web", "Release")
    assert "### Not known whether it is live" in red["Release"].summary
    tip = world.tip
    again = red.again(failed=True).play()
    assert (again.result, world.tip) == ("success", tip), "\n".join(again.told())
    assert f"### Live: `orbit` at `{tip[:7]}`" in again["Release"].summary
