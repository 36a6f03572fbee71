"""`doctor`: the real command between real servers, each check once as it should be and once not."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orbit_release.argocd.application import ApplicationSource
from orbit_release.argocd.client import ArgoCD
from orbit_release.argocd.connection import Connection
from orbit_release.cli.doctor import GROUPS
from orbit_release.config import ArgoCDNames
from orbit_release.doctor import endpoint
from orbit_release.doctor.checklist import Check, ChecklistLine, LineState, ok_line
from orbit_release.doctor.checks import Surroundings
from orbit_release.doctor.manifest_needs import Needs
from orbit_release.doctor.run_checks import run_checks
from orbit_release.errors import NotFoundError
from orbit_release.git.clone import Clone, Tip
from orbit_release.image import Repository
from orbit_release.registry.client import Registry
from tests.certificates import certificate_file, showing
from tests.images import push_image
from tests.integration.monorepo import FOLDER, SERVICES, Monorepo, Ran, environment, git, pushed
from tests.integration.test_registry import HTPASSWD, PASSWORD, USER, docker_login, started_registry
from tests.servers import argocd as argocd_server, doppler as doppler_server, github as github_server
from tests.servers.argocd import ArgoCDServer, Reply, application
from tests.servers.doppler import DopplerServer
from tests.servers.git_http import GitServer
from tests.servers.github import GitHubServer, running
from tests.servers.github_state import Ruleset
from tests.servers.serving import serving

NEEDS = """\
kind: ExternalSecret
spec:
  secretStoreRef: {name: doppler-store}
  data: [{remoteRef: {key: KEY_A}}, {remoteRef: {key: KEY_B}}]
---
kind: Ingress
spec: {rules: [{host: localhost}]}
---
kind: PersistentVolume
spec: {nfs: {server: nfs.example.com, path: /srv/orbit}}
"""
OK, FAILED, UNCHECKED = "ok", "failed", "not checked"
ALL_WELL = {
    "git/remote": OK,
    "git/push": OK,
    "github/token": OK,
    "github/branch": OK,
    "github/publish": OK,
    "registry/images": OK,
    "registry/pull": OK,
    "builder/engine": OK,
    "doppler/keys": OK,
    "dns/localhost": OK,
    "certificate/names": UNCHECKED,
    "argocd/server": OK,
    "argocd/source": OK,
    "argocd/sync": OK,
    "nfs/nfs.example.com": UNCHECKED,
}


@dataclass
class World:
    """A monorepo with all that surrounds it; `extra` is the environment that leads there."""

    repo: Monorepo
    github: GitHubServer
    argocd: ArgoCDServer
    store: DopplerServer
    extra: dict[str, str]

    def run(self, *arguments: str, **extra: str) -> Ran:
        return replace(self.repo, extra={**self.extra, **extra}).run("doctor", *arguments)

    def lines(self, *arguments: str, **extra: str) -> dict[str, dict[str, Any]]:
        ran = self.run("--format", "json", *arguments, **extra)
        assert ran.out, ran.err
        found = {f"{one['group']}/{one['name']}": one for one in json.loads(ran.out)["lines"]}
        assert ran.code == any(one["state"] == FAILED for one in found.values())
        return found

    def app(self) -> Any:
        return self.argocd.applications["orbit"]["spec"]


@pytest.fixture
def world(monorepo: Monorepo, docker_host: str) -> Iterator[World]:
    for name in SERVICES:
        pushed(monorepo, name, monorepo.git("rev-parse", "HEAD"), tag="latest")
    monorepo.push("what the deployment needs", {f"{FOLDER}/needs.yaml": NEEDS})
    store, argocd = DopplerServer("KEY_A", "KEY_B"), ArgoCDServer(application())
    with ExitStack() as stack:
        github = stack.enter_context(running(GitHubServer(monorepo.origin)))
        for server in (store, argocd):
            stack.enter_context(serving(server, server.stopping))
        extra = {
            "GITHUB_API_URL": github.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "octo/orbit",
            "GITHUB_TOKEN": github_server.TOKEN,
            "DOPPLER_API_HOST": store.url,
            "DOPPLER_TOKEN": doppler_server.TOKEN,
            "ARGOCD_SERVER": argocd.host,
            "ARGOCD_OPTS": "--plaintext",
            "ARGOCD_AUTH_TOKEN": argocd_server.TOKEN,
            "DOCKER_HOST": docker_host,
        }
        yield World(monorepo, github, argocd, store, extra)


def states(lines: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: line["state"] for name, line in lines.items()}


def test_all_is_well_and_nothing_has_changed_anywhere(world: World) -> None:
    before = git(world.repo.origin, "for-each-ref"), world.repo.git("for-each-ref"), world.repo.git("status", "-s")
    found = world.lines()
    assert states(found) == ALL_WELL
    assert (git(world.repo.origin, "for-each-ref"), world.repo.git("for-each-ref")) == before[:2]
    assert world.repo.git("status", "-s") == before[2]
    assert "ls -ldn /srv/orbit" in found["nfs/nfs.example.com"]["fix"]
    assert [one["fix"] for one in found.values() if one["state"] == OK] == [None] * 13


def test_the_table_has_a_mark_and_a_word_for_each_state(world: World) -> None:
    world.store.names.remove("KEY_B")
    ran = world.run("--only", "doppler", "--only", "git", "--only", "nfs", PYTHONIOENCODING="utf-8")
    assert ran.code == 1
    assert [line.split("  ")[0] for line in ran.out.splitlines() if line[0] not in " S"] == [
        "✓ ok",
        "✓ ok",
        "✗ failed",
        "- not checked",
    ]
    assert "fix: doppler secrets set KEY_B" in ran.out
    ran = world.run("--only", "doppler", "--only", "git", PYTHONIOENCODING="ascii")
    assert [line.split("  ")[0] for line in ran.out.splitlines() if line[0] not in " S"] == ["+ ok", "+ ok", "x failed"]


def unpublishable(world: World) -> None:
    world.github.rulesets = [Ruleset(("pull_request",))]


def unprotected_by_a_bypass(world: World) -> None:
    world.github.rulesets = [Ruleset(("pull_request", "required_status_checks"), "always")]


def hidden_rules(world: World) -> None:
    world.github.rulesets = [Ruleset(("pull_request",), is_hidden=True)]


def classic_checks(world: World) -> None:
    world.github.required_checks = ("test",)


def classic_checks_for_others(world: World) -> None:
    world.github.required_checks, world.github.enforcement = ("test",), "non_admins"
    world.github.permissions["admin"] = True


def read_only(world: World) -> None:
    world.github.permissions["push"] = False
    world.github.token = world.extra["GITHUB_TOKEN"] = "ghp_of_a_person"


def an_app_that_has_no_role(world: World) -> None:
    world.github.permissions["push"] = False


def scopeless(world: World) -> None:
    world.github.scopes = "read:packages, gist"


def scoped(world: World) -> None:
    world.github.scopes = "gist, repo"


def archived(world: World) -> None:
    world.github.archived = True


def unlisted(world: World) -> None:
    world.store.names.remove("KEY_A")


def elsewhere(world: World) -> None:
    world.app()["source"]["path"] = "docs"


def named(world: World) -> None:
    text = (world.repo.clone / "orbit-release.yaml").read_text()
    world.repo.push("name it", {"orbit-release.yaml": f"{text}argocd: {{application: orbit, project: applications}}\n"})


def named_and_elsewhere(world: World) -> None:
    named(world)
    elsewhere(world)


def named_and_gone(world: World) -> None:
    named(world)
    world.argocd.applications.clear()


def twice(world: World) -> None:
    world.argocd.applications["again"] = application("again")


def by_hand(world: World) -> None:
    world.app()["syncPolicy"] = {}


def another_branch(world: World) -> None:
    world.app()["source"]["targetRevision"] = "v1"


def login_page(world: World) -> None:
    world.argocd.always = argocd_server.LOGIN


def no_image(world: World) -> None:
    world.repo.deploy(api="sha-0000000")


def no_name(world: World) -> None:
    world.repo.push("a name", {f"{FOLDER}/needs.yaml": NEEDS.replace("localhost", "orbit.invalid")})


def no_branch(world: World) -> None:
    git(world.repo.origin, "branch", "-m", "main", "trunk")


def no_remote(world: World) -> None:
    world.repo.git("remote", "remove", "origin")


# What each of them makes of ALL_WELL (None: the line is not there), and a part of what is told.
SPOILED: dict[Callable[[World], None], tuple[dict[str, str | None], str]] = {
    unpublishable: ({"github/publish": FAILED}, "the rules of main ask for pull requests"),
    unprotected_by_a_bypass: ({}, "main is protected: pull requests, status checks"),
    hidden_rules: ({"github/publish": UNCHECKED}, "GitHub does not say"),
    classic_checks: ({"github/publish": FAILED}, "asks for the checks test"),
    classic_checks_for_others: ({"github/publish": UNCHECKED}, "only administrators can read"),
    read_only: ({"github/publish": FAILED}, "and not write to it"),
    an_app_that_has_no_role: ({"github/publish": UNCHECKED}, "does not tell an App's token"),
    scopeless: ({"github/publish": FAILED}, "lacks the scope repo"),
    scoped: ({}, "this token may put commits on main"),
    archived: ({"github/publish": FAILED}, "archived"),
    unlisted: ({"doppler/keys": FAILED}, "doppler-store: 1 of 2 keys are missing: KEY_A"),
    elsewhere: ({"argocd/source": FAILED, "argocd/sync": None}, "no application that this token sees syncs deploy"),
    named: ({}, "orbit syncs deploy of this repository at main"),
    named_and_elsewhere: ({"argocd/source": FAILED}, "orbit syncs docs, not deploy"),
    named_and_gone: (
        {"argocd/server": FAILED, "argocd/source": UNCHECKED, "argocd/sync": UNCHECKED},
        '"orbit" not found',
    ),
    twice: ({"argocd/source": UNCHECKED, "argocd/sync": None}, "several applications sync deploy: orbit, again"),
    by_hand: ({"argocd/sync": FAILED}, "auto-sync of orbit is off"),
    another_branch: ({"argocd/source": FAILED}, "orbit follows v1, not main"),
    login_page: (
        {"argocd/server": FAILED, "argocd/source": UNCHECKED, "argocd/sync": UNCHECKED},
        "login page at login.example.com",
    ),
    no_image: ({"registry/images": FAILED}, "not there: "),
    no_name: ({"dns/localhost": None, "dns/orbit.invalid": FAILED}, "orbit.invalid does not resolve"),
    no_branch: (
        {"git/remote": FAILED, "github/token": FAILED, "github/branch": UNCHECKED, "github/publish": UNCHECKED},
        "origin has no branch main",
    ),
    no_remote: ({"git/remote": UNCHECKED, "git/push": None}, "this clone has no remote"),
}


# Each row spoils systems that have nothing to do with each other.
TOGETHER: Sequence[Sequence[Callable[[World], None]]] = [
    (unpublishable, elsewhere, no_image),
    (unprotected_by_a_bypass, named, unlisted),
    (hidden_rules, named_and_elsewhere, no_name),
    (classic_checks, named_and_gone),
    (classic_checks_for_others, twice),
    (read_only, by_hand),
    (an_app_that_has_no_role, another_branch),
    (scopeless, login_page),
    (scoped, no_remote),
    (archived,),
    (no_branch,),
]


def test_every_way_to_spoil_the_world_is_tried() -> None:
    assert {spoil for spoils in TOGETHER for spoil in spoils} == SPOILED.keys()


@pytest.mark.parametrize("spoils", TOGETHER)
def test_what_is_wrong_is_told_and_nothing_else(world: World, spoils: Sequence[Callable[[World], None]]) -> None:
    expected: dict[str, str | None] = {**ALL_WELL}
    for spoil in spoils:
        spoil(world)
        expected |= SPOILED[spoil][0]
    found = world.lines()
    assert states(found) == {name: state for name, state in expected.items() if state}
    for said in (SPOILED[spoil][1] for spoil in spoils):
        assert any(said in line["what"] for line in found.values()), found
    assert all(line["fix"] for line in found.values() if line["state"] != OK)


def test_without_tokens_nothing_is_asked_of_whom_they_are_for(world: World) -> None:
    tokens = dict.fromkeys(("GITHUB_TOKEN", "DOPPLER_TOKEN", "ARGOCD_AUTH_TOKEN"), "")
    found = world.lines(**tokens)
    assert {name for name, line in found.items() if line["state"] != ALL_WELL[name]} == {
        "github/token",
        "doppler/keys",
        "argocd/server",
    }
    for name, how in (
        ("github/token", "gh auth token"),
        ("doppler/keys", "doppler configs tokens create"),
        ("argocd/server", "argocd account generate-token"),
    ):
        assert (found[name]["state"], how in found[name]["fix"]) == (UNCHECKED, True)


def test_wrong_tokens_are_told_and_never_shown_even_where_a_server_quotes_them(world: World) -> None:
    world.argocd.always = Reply.problem(401, 16, "who is argo-hush with proxy-hush?")
    wrong = {"GITHUB_TOKEN": "gh-hush", "DOPPLER_TOKEN": "dp-hush", "ARGOCD_AUTH_TOKEN": "argo-hush"}
    wrong["ARGOCD_OPTS"] = "--plaintext --header 'X-Proxy: proxy-hush'"
    for shape in ("table", "json"):
        ran = world.run("--format", shape, **wrong)
        assert (ran.code, "hush" in ran.out + ran.err) == (1, False)
    found = world.lines("--only", "argocd", "--only", "doppler", "--only", "github", **wrong)
    assert {name for name, line in found.items() if line["state"] == FAILED} == {
        "github/token",
        "doppler/keys",
        "argocd/server",
    }
    assert "who is *** with ***?" in found["argocd/server"]["what"]


def test_private_images_need_a_pull_secret(world: World, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}}
    manifest = "kind: Pod\nspec: {SECRETS containers: [{image: HOST/private/web}]}\n"
    secrets = "imagePullSecrets: [{name: ghcr-pull-secret}],"
    with started_registry(tmp_path, auth) as host:
        text = manifest.replace("HOST", host)
        world.repo.push("private", {f"{FOLDER}/private.yaml": text.replace("SECRETS", "")})
        found = world.lines("--only", "registry")
        assert states(found) == {"registry/images": UNCHECKED, "registry/pull": FAILED}
        assert "docker login" in found["registry/images"]["fix"]
        world.repo.push("with a secret", {f"{FOLDER}/private.yaml": text.replace("SECRETS", secrets)})
        (tmp_path / "docker").mkdir()
        docker_login(tmp_path / "docker", host, PASSWORD)
        found = world.lines("--only", "registry", DOCKER_CONFIG=str(tmp_path / "docker"))
        assert states(found) == {"registry/images": FAILED, "registry/pull": OK}  # nobody has pushed it yet
        push_image(Repository(f"{host}/private/web"), "latest", auth=(USER, PASSWORD))
        found = world.lines("--only", "registry", DOCKER_CONFIG=str(tmp_path / "docker"))
        assert states(found) == {"registry/images": OK, "registry/pull": UNCHECKED}
        assert "need the pull secret ghcr-pull-secret" in found["registry/pull"]["what"]


def test_pushing_is_asked_of_the_server_without_pushing(offline: Monorepo) -> None:
    git(offline.origin, "config", "http.receivepack", "true")
    with serving(GitServer(offline.origin.parent)) as server:
        offline.git("remote", "set-url", "origin", f"{server.url}/{offline.origin.name}")
        before = git(offline.origin, "for-each-ref")
        ran = offline.run("doctor", "--only", "git")
        assert (ran.code, git(offline.origin, "for-each-ref")) == (0, before), ran.out
        server.faults["git-receive-pack"] = 403
        ran = offline.run("doctor", "--only", "git", "--format", "json")
        assert [one["state"] for one in json.loads(ran.out)["lines"]] == [OK, FAILED]
        assert ran.code == 1
        server.credentials = "x-access-token:ghs_topsecret"
        wrong = server.url.replace("http://", "http://x-access-token:ghs_wrongsecret@")
        offline.git("remote", "set-url", "origin", f"{wrong}/{offline.origin.name}")
        ran = offline.run("doctor", "--only", "git")
        assert (ran.code, "ghs_wrongsecret" in ran.out + ran.err) == (1, False)


def test_without_network_each_check_says_so_by_itself(offline: Monorepo) -> None:
    offline.push("needs", {f"{FOLDER}/needs.yaml": NEEDS})
    offline.origin.rename(offline.origin.with_name("gone"))
    nobody = "127.0.0.1:9"
    extra = {
        "GITHUB_API_URL": f"http://{nobody}",
        "GITHUB_REPOSITORY": "octo/orbit",
        "GITHUB_TOKEN": "t",
        "DOPPLER_API_HOST": f"http://{nobody}",
        "DOPPLER_TOKEN": "t",
        "ARGOCD_SERVER": nobody,
        "ARGOCD_OPTS": "--plaintext",
        "ARGOCD_AUTH_TOKEN": "t",
        "DOCKER_HOST": "unix:///nowhere.sock",
    }
    ran = replace(offline, extra=extra).run("doctor", "--format", "json")
    lines = {f"{one['group']}/{one['name']}": one for one in json.loads(ran.out)["lines"]}
    assert {one["group"] for one in lines.values()} == set(GROUPS)
    assert {name for name, one in lines.items() if one["state"] == FAILED} == {
        "git/remote",
        "github/token",
        "registry/images",
        "builder/engine",
        "doppler/keys",
        "argocd/server",
    }


def test_manifests_that_cannot_be_read_are_named(offline: Monorepo) -> None:
    offline.push("broken", {f"{FOLDER}/broken.yaml": "a: [\n"})
    ran = offline.run("doctor", "--only", "nfs")
    assert (ran.code, "deploy/broken.yaml cannot be read" in ran.err) == (0, True)


def test_only_takes_the_names_that_there_are(offline: Monorepo) -> None:
    assert offline.run("doctor", "--only", "nothing").code == 2


# In this process: what listens at a port of its own, hangs, or breaks


@pytest.fixture
def surroundings(offline: Monorepo) -> Iterator[Surroundings]:
    def unasked() -> Any:
        raise AssertionError

    with Clone(str(offline.clone), environment()) as clone:
        yield Surroundings(
            clone,
            clone.seen_tip("main"),
            Needs(hosts=("localhost",), secured=("localhost",)),
            ApplicationSource("https://github.com/octo/orbit", FOLDER, "main"),
            ArgoCDNames(),
            30.0,
            github=unasked,
            registry=Registry(),
            anonymous=Registry(),
            builder=unasked,
            doppler=unasked,
            argocd=unasked,
            addresses=endpoint.look_up_addresses,
            certificate=lambda _: unasked(),
            now=0.0,
        )


def line_of(surroundings: Surroundings, group: str) -> ChecklistLine:
    (line,) = run_checks([surroundings.checks()[group]], seconds=60)
    return line


@pytest.mark.parametrize(
    ("names", "days", "state", "said"),
    [
        (("localhost",), 90, LineState.OK, "for 89 days more"),
        (("localhost",), 10, LineState.FAILED, "ends in 9 days"),
        (("*.example.com",), 90, LineState.FAILED, "covers *.example.com, not localhost"),
        (("localhost",), -1, LineState.FAILED, "certificate has expired"),
    ],
)
def test_the_certificate_behind_a_name(
    surroundings: Surroundings, tmp_path: Path, names: tuple[str, ...], days: int, state: LineState, said: str
) -> None:
    import time  # noqa: PLC0415

    file = certificate_file(tmp_path, *names, days=days)
    with showing(file) as port:
        context = partial(ssl.create_default_context, cafile=file)
        ask = partial(endpoint.fetch_certificate, seconds=30, port=port, context=context)
        line = line_of(replace(surroundings, certificate=ask, now=time.time()), "certificate")
    assert (line.state, said in line.what) == (state, True), line


def test_a_name_that_does_not_resolve_has_no_certificate_to_look_at(surroundings: Surroundings) -> None:
    def nowhere(host: str) -> list[str]:
        raise NotFoundError(f"{host} does not resolve", "make it.")

    line = line_of(replace(surroundings, addresses=nowhere), "certificate")
    assert (line.state, line.what) == (LineState.UNCHECKED, "localhost does not resolve")


def test_a_server_that_hangs_holds_nothing_up(surroundings: Surroundings) -> None:
    server = ArgoCDServer()
    server.hangs = True
    with serving(server, server.stopping):
        client = ArgoCD(Connection.parse(server.host, "--plaintext"), "token", seconds=30)
        check = replace(surroundings, argocd=lambda: client).checks()["argocd"]
        lines = run_checks([check], seconds=0)
        assert [(line.name, line.state) for line in lines] == [
            ("server", LineState.FAILED),
            ("source", LineState.UNCHECKED),
            ("sync", LineState.UNCHECKED),
        ]
        assert lines[0].what == "no answer within 0 s"


def test_a_check_that_breaks_is_told_as_our_bug_beside_the_others(surroundings: Surroundings) -> None:
    def works() -> Iterator[ChecklistLine]:
        yield ok_line("nfs", "works", "it does")

    def breaks() -> Iterator[ChecklistLine]:
        yield ok_line("dns", "first", "it does")
        raise ValueError("secret")

    checks = [Check("dns", ("first", "second"), breaks), Check("nfs", ("works",), works)]
    lines = run_checks(checks, seconds=60, secrets=["secret"])
    assert [(line.name, line.state) for line in lines] == [
        ("first", LineState.OK),
        ("second", LineState.FAILED),
        ("works", LineState.OK),
    ]
    assert lines[1].what == "ValueError: ***"


def test_a_git_server_that_hangs_is_left_after_its_time(offline: Monorepo) -> None:
    from orbit_release.doctor.git_remote import remote_tip  # noqa: PLC0415
    from orbit_release.errors import UnavailableError  # noqa: PLC0415

    server = ArgoCDServer()
    server.hangs = True
    with serving(server, server.stopping), Clone(str(offline.clone), environment()) as clone:
        offline.git("remote", "set-url", "origin", f"http://{server.host}/x.git")
        with pytest.raises(UnavailableError, match="does not answer within 0 s"):
            remote_tip(clone, Tip("main", clone.seen_tip("main").commit, "origin"), 0.01)


INSPECT = {
    0: "Name:          kit\nDriver:        docker-container\n\nNodes:\nName:     kit0\nStatus:   inactive\n",
    1: 'ERROR: no builder "kit" found\n',
    2: "Name:   default\nDriver: docker\n\nNodes:\nName: default\nError: Cannot connect to the Docker daemon\n",
}


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (0, "docker buildx with the builder kit (docker-container), inactive"),
        (1, 'docker buildx: no builder "kit" found'),
        (2, "docker buildx: Cannot connect to the Docker daemon"),
    ],
)
def test_buildx_is_asked_without_starting_its_builder(offline: Monorepo, tmp_path: Path, case: int, said: str) -> None:
    """A program in its place: what it prints is what docker buildx 0.20 does, which this machine may lack."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "inspect").write_text(INSPECT[case])
    script = (
        '#!/bin/sh\ncase "$*" in\n"buildx version") exit 0;;\n'
        f'"buildx inspect") cat {folder}/inspect; exit {case % 2};;\nesac\nexit 9\n'
    )
    (folder / "docker").write_text(script)
    (folder / "docker").chmod(0o755)
    ran = offline.run("doctor", "--only", "builder", "--format", "json", PATH=f"{folder}:/usr/bin:/bin")
    (line,) = json.loads(ran.out)["lines"]
    assert (line["what"], line["state"]) == (said, OK if case == 0 else FAILED)
