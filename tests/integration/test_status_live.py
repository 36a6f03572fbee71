"""`status --live`: what Argo CD tells of each service beside what is deployed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.argocd import ILL, NOBODY, RUNNING, SEEN, SERVICES, Serve, World, build
from tests.integration.monorepo import FOLDER, MANIFEST, Ran, git
from tests.integration.test_schema import document
from tests.servers.argocd import BAD_GATEWAY, TOKEN, Reply
from tests.servers.argocd_life import LivingServer, Stage, Step
from tests.servers.serving import serving

WELL = {f"Deployment/{name}": ("Healthy", "") for name in SERVICES}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("world"))


def well(world: World, name: str = "replaced", **changes: Any) -> Stage:
    return world.at(name, **{"health": WELL, **changes})


def status(world: World, serve: Serve, *life: Step, arguments: tuple[str, ...] = ()) -> Ran:
    return world.repo.run("status", "--live", *arguments, **serve(*life))


def told(ran: Ran) -> dict[str, tuple[str, ...]]:
    """Return, by service, the columns LIVE, SYNC, HEALTH and STATE of the table."""
    head, *lines = ran.out.splitlines()
    starts = [head.index(name) for name in ("LIVE", "SYNC", "HEALTH", "SINCE", "STATE")]
    ends = [*starts[1:4], None]
    places = [*zip(starts[:3], ends[:3], strict=True), (starts[4], None)]
    return {line.split()[0]: tuple(line[start:end].strip() for start, end in places) for line in lines}


def live(world: World, serve: Serve, *life: Step, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    ran = world.repo.run("status", "--live", "--format", "json", *arguments, **serve(*life))
    return {service["name"]: service["live"] for service in document(ran, "status")["services"]}


def test_what_runs_as_it_is_deployed(world: World, serve: Serve) -> None:
    ran = status(world, serve, well(world))
    assert ran.out.splitlines()[0].split()[:5] == ["SERVICE", "DEPLOYED", "LIVE", "SYNC", "HEALTH"]
    assert {name: row[:3] for name, row in told(ran).items()} == {
        "web": ("sha-0000003", "Synced", "Healthy"),
        "api": ("sha-0000003", "Synced", "Healthy"),
        "worker": ("sha-0000001", "Synced", "Healthy"),
    }
    assert "does" not in ran.out
    assert f"orbit at {world.commits['replaced'][:7]}: Synced, Healthy" in ran.err


def test_what_is_deployed_and_does_not_run_yet(world: World, serve: Serve) -> None:
    stage = well(world, "web", sync="OutOfSync", drifted=("Deployment/api",))
    row = told(status(world, serve, stage))["api"]
    assert row[:2] == ("sha-0000002", "OutOfSync")
    assert row[3].endswith("; sha-0000003 does not run, sha-0000002 does")


def test_old_and_new_run_beside_each_other(world: World, serve: Serve) -> None:
    both = (*world.images("web"), *world.images("replaced"))
    stage = well(world, images=both, health={**WELL, "Deployment/api": ("Progressing", "1 of 2 updated")})
    row = told(status(world, serve, stage))["api"]
    assert row[:3] == ("sha-0000002, sha-0000003", "Synced", "Progressing")
    assert row[3].endswith("; sha-0000002 runs as well; 1 of 2 updated")


def test_a_program_reads_the_difference(world: World, serve: Serve) -> None:
    stage = well(world, images=world.images("web"), health={**WELL, "Deployment/api": ILL})
    found = live(world, serve, stage)
    of = f"{NOBODY}/orbit/api:sha-000000"
    assert found["api"] == {
        "images": [f"{of}2"],
        "missing": [f"{of}3"],
        "other": [f"{of}2"],
        "sync": "Synced",
        "health": "Degraded",
        "message": ILL[1],
    }
    assert (found["web"]["missing"], found["web"]["other"]) == ([], [])


def test_the_application_speaks_for_a_service_of_no_known_workload(world: World, serve: Serve) -> None:
    found = live(world, serve, well(world, sync="OutOfSync", health={"Deployment/prod-api": ILL}))
    assert {(service["sync"], service["health"]) for service in found.values()} == {("OutOfSync", "Degraded")}


def test_the_worst_of_a_services_workloads_speaks_for_it(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    canary = MANIFEST.format(name="api", host=NOBODY, tag="sha-0000003").replace("name: api", "name: canary")
    world.commits["canary"] = world.repo.push("canary", {f"{FOLDER}/canary.yaml": canary})
    for ill, drifted in (("api", "canary"), ("canary", "api")):
        health = {**WELL, "Deployment/canary": ("Healthy", ""), f"Deployment/{ill}": ILL}
        found = live(world, serve, well(world, "canary", health=health, drifted=(f"Deployment/{drifted}",)))
        assert [found["api"][key] for key in ("sync", "health", "message")] == ["OutOfSync", *ILL]


def test_a_cron_job_between_two_runs_lacks_nothing(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    pod = f"spec: {{template: {{spec: {{containers: [{{name: a, image: '{NOBODY}/orbit/worker:sha-0000009'}}]}}}}}}"
    nightly = f"kind: CronJob\nmetadata: {{name: worker}}\nspec: {{jobTemplate: {{{pod}}}}}\n"
    world.commits["nightly"] = world.repo.push("nightly", {f"{FOLDER}/worker.yaml": nightly})
    web = tuple(image for image in world.images("replaced") if "/worker:" not in image)
    found = live(world, serve, well(world, "nightly", images=web))
    assert (found["worker"]["images"], found["worker"]["missing"]) == ([], [])
    tonight = f"{NOBODY}/orbit/worker:sha-0000009"
    found = live(world, serve, well(world, "nightly", images=(*web, tonight)))
    assert (found["worker"]["images"], found["worker"]["other"]) == ([tonight], [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"images": ()}, 1),
        ({"drifted": ("Deployment/api",)}, 1),
        ({"health": {**WELL, "Deployment/api": ILL}}, 1),
        ({"health": {**WELL, "StatefulSet/db": ILL}}, 0),
        ({"health": {**WELL, "Deployment/api": ("Suspended", ""), "Deployment/web": ("", "")}}, 0),
        ({**RUNNING, **SEEN, "sync": "OutOfSync"}, 0),
    ],
    ids=["well", "not running", "drifted", "Degraded", "a database is Degraded", "at rest", "the application is not"],
)
def test_the_exit_code_tells_whether_what_is_deployed_runs_well(
    tmp_path: Path, serve: Serve, changes: dict[str, Any], code: int
) -> None:
    world = build(tmp_path)
    commit = world.repo.git("rev-parse", "HEAD")
    world.commits["current"] = world.repo.deploy(**dict.fromkeys(SERVICES, f"sha-{commit[:7]}"))
    known = serve(well(world, "current", **changes))
    assert world.repo.run("status", "--live", "--exit-code", **known).code == code
    assert world.repo.run("status", "--exit-code", **known).code == 0


@pytest.mark.parametrize(("step", "code"), [(None, 0), (BAD_GATEWAY, 1)], ids=["well", "Argo CD is down"])
def test_the_exit_code_is_about_what_is_deployed_and_known(
    tmp_path: Path, serve: Serve, step: Step | None, code: int
) -> None:
    world = build(tmp_path)
    commit = world.repo.git("rev-parse", "HEAD")
    world.repo.push("away", {f"{FOLDER}/worker.yaml": None, "services/worker/Dockerfile": None})
    world.commits["current"] = world.repo.deploy(**dict.fromkeys(("web", "api"), f"sha-{commit[:7]}"))
    images = tuple(f"{NOBODY}/orbit/{name}:sha-{commit[:7]}" for name in ("web", "api"))
    known = serve(step or replace(world.at("replaced"), revision=world.commits["current"], images=images, health=WELL))
    assert world.repo.run("status", "--live", "--exit-code", **known).code == code


def test_what_somebody_else_released_a_moment_ago_is_known(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    elsewhere = replace(world.repo, clone=tmp_path / "elsewhere")
    git(tmp_path, "clone", "-q", str(world.repo.origin), str(elsewhere.clone))
    world.commits["newer"] = elsewhere.deploy(api="sha-0000009")
    assert live(world, serve, well(world, "newer"))["api"]["missing"] == []


@pytest.mark.parametrize("step", [BAD_GATEWAY, Reply.problem(403, 7, "permission denied")], ids=["down", "denied"])
def test_where_argo_cd_cannot_be_asked_the_rest_is_told_and_nothing_is_well(
    world: World, serve: Serve, step: Step
) -> None:
    ran = status(world, serve, step)
    assert (ran.code, "not asked: Argo CD: 127.0.0.1:" in ran.err) == (0, True)
    assert {row[:3] for row in told(ran).values()} == {("?", "?", "?")}
    assert status(world, serve, step, arguments=("--exit-code",)).code == 1
    ran = world.repo.run("status", "--live", "--format", "json", **serve(step))
    assert document(ran, "status")["application"] is None


def test_an_application_that_cannot_be_compared_says_so(world: World, serve: Serve) -> None:
    errors = {"ComparisonError": "kustomize build failed:\x1b[2J no such file"}
    ran = status(world, serve, well(world, revision="", sync="Unknown", errors=errors))
    assert "orbit at no revision: Unknown, Healthy; ComparisonError: kustomize build failed:\ufffd[2J no" in ran.err


def test_it_looks_once_and_lets_argo_cd_do_nothing(world: World) -> None:
    server = LivingServer(well(world))
    with serving(server, server.stopping):
        known: dict[str, Any] = {"ARGOCD_SERVER": server.host, "ARGOCD_AUTH_TOKEN": TOKEN, "ARGOCD_OPTS": "--plaintext"}
        assert world.repo.run("status", "--live", **known).code == 0
    assert (server.refreshes, server.violations) == ([False], [])


def test_without_a_server_or_offline_it_says_what_to_do(world: World, tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"ARGOCD_SERVER": "", "ARGOCD_AUTH_TOKEN": "", "ARGOCD_OPTS": "", "HOME": str(tmp_path)}
    ran = world.repo.run("status", "--live", **nothing)
    assert (ran.code, "Argo CD's server is not known" in ran.err) == (2, True)
    assert world.repo.run("status", "--live", "--offline", **nothing).code == 2
