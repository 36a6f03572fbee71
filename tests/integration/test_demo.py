"""`demo` as a new user runs it: the sandbox and the registry that it leaves behind."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import requests
import yaml

from tests.integration import warm
from tests.integration.monorepo import Ran, environment, git
from tests.manual import DOCS, README, Shown, Step, sessions, steps

SERVICES = (
    "orbit-www",
    "repository-service",
    "build-service",
    "bifrost",
    "kafka-service",
    "plugins-service",
    "temporal-worker",
)
# What a run must not take from the person's surroundings.
FOREIGN = {
    "ORBIT_RELEASE_PLAN_FORMAT": "json",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": "0" * 40,
    "GIT_DIR": "/dev/null/x",
}
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Sandbox:
    """The folder that a demo left behind, and what the demo printed."""

    folder: Path
    registry: str
    ran: Ran

    def image(self, name: str, commit: str = "main") -> str:
        """Return the image that a manifest of the origin carries."""
        text = git(self.folder / "origin.git", "show", f"{commit}:infrastructure/k8s/{name}.yaml")
        return str(yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]["image"])

    def releases(self) -> list[str]:
        """Return the commits of the origin that are releases, the oldest first."""
        return git(self.folder / "origin.git", "log", "--reverse", "--format=%H", "--grep=^release: ", "main").split()


def run(*arguments: str, wrap: tuple[str, ...] = (), surroundings: Mapping[str, str] = {}) -> Ran:
    program = (sys.executable, "-m", "orbit_release") if wrap else warm.program()  # a limit holds for what it starts
    command = [*wrap, *program, "demo", *arguments]
    result = subprocess.run(
        command,
        env={**environment(), **surroundings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(result.returncode, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, registry_host: str) -> Sandbox:
    folder = tmp_path_factory.mktemp("demo") / "new"
    registry = f"{registry_host}/{uuid4().hex}"  # another worker's demo must not move our `latest`
    return Sandbox(folder, registry, run(str(folder), "--registry", registry, surroundings=FOREIGN))


def assert_two_lines(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["error", "hint"]
    assert [word for word in words if word not in ran.err] == []


def test_every_deployed_tag_is_in_the_registry(sandbox: Sandbox) -> None:
    assert sandbox.ran.code == 0, sandbox.ran.err
    for name in SERVICES:
        image = sandbox.image(name)
        repository, tag = image.rsplit(":", 1)
        assert repository == f"{sandbox.registry}/orbit/{name}"
        url = f"http://{repository.replace('/', '/v2/', 1)}/manifests"
        answers = [requests.get(f"{url}/{one}", headers={"Accept": MANIFESTS}, timeout=600) for one in (tag, "latest")]
        assert [answer.status_code for answer in answers] == [200, 200], image
        assert len({answer.headers["Docker-Content-Digest"] for answer in answers}) == 1


def test_the_releases_are_of_what_each_push_changed(sandbox: Sandbox) -> None:
    releases = sandbox.releases()
    changed = [
        [name for name in SERVICES if sandbox.image(name, commit) != sandbox.image(name, f"{commit}~1")]
        for commit in releases
    ]
    assert changed == [
        list(SERVICES),
        [name for name in SERVICES if name != "orbit-www"],
        ["bifrost"],
        ["plugins-service"],
        ["kafka-service"],
        ["bifrost"],
        ["plugins-service"],
        ["bifrost"],
    ]


def test_a_release_changes_manifests_only(sandbox: Sandbox) -> None:
    for commit in sandbox.releases():
        names = git(sandbox.folder / "origin.git", "diff", "--name-only", f"{commit}~1", commit).split()
        assert [name for name in names if not name.startswith("infrastructure/k8s/")] == []


def test_it_shows_what_it_runs_under_headings(sandbox: Sandbox) -> None:
    headings = re.findall(r"(?m)^# (.*)", sandbox.ran.out)
    assert [heading.split(":")[0].split(".")[0] for heading in headings[:9]] == [
        "The first release",
        "A change under proto/",
        "A change in bifrost",
        "A build that fails",
        "The next push repairs it, in a file of its own",
        "A bad release of bifrost",
        "Others are released meanwhile; bifrost stays where it is",
        "bifrost is mended",
        "What was deployed when, how things stand now, and a page with both",
    ]
    commands = re.findall(r"(?m)^\$ (.*)", sandbox.ran.out)
    assert [commands.count(f"orbit-release {one}") for one in ("plan", "build", "bump --built")] == [8, 8, 8]
    assert "\x1b" not in sandbox.ran.out + sandbox.ran.err


def shortened(page: Path) -> list[Step]:
    """Return what a page shows of the demo: the README's last session, or all of a page."""
    found = list(sessions(page))
    return found[-1] if page == README else [step for session in found for step in session]


@pytest.mark.parametrize("page", [README, DOCS / "demo.md"], ids=lambda page: page.name)
def test_the_manual_shows_what_it_prints(sandbox: Sandbox, page: Path) -> None:
    shown, err = Shown(), sandbox.ran.err.splitlines()
    ran = iter(steps(sandbox.ran.out))  # each step is looked for behind the one before
    missing = [
        step
        for step in shortened(page)
        if not any(real.command == step.command and not shown.differences(step, real.lines, err) for real in ran)
    ]
    assert missing == []


def test_what_is_rolled_back_stays_until_somebody_lets_go(sandbox: Sandbox) -> None:
    origin = sandbox.folder / "origin.git"
    rollback, unhold = (
        git(origin, "log", "--format=%H", f"--grep=^{verb}: bifrost", "main") for verb in ("rollback", "unhold")
    )
    before, bad = sandbox.image("bifrost", f"{rollback}~2"), sandbox.image("bifrost", f"{rollback}~1")
    assert before != bad
    assert sandbox.image("bifrost", rollback) == sandbox.image("bifrost", unhold) == before
    held = git(origin, "show", f"{rollback}:infrastructure/k8s/bifrost.yaml")
    assert f"{before} # the tag is all that a release changes # held: it gives up too soon" in held
    assert sandbox.image("plugins-service", unhold) != sandbox.image("plugins-service", rollback)
    assert "bifrost stays: held: it gives up too soon" in sandbox.ran.err
    assert re.search(r"(?m)^bifrost: the next run releases sha-", sandbox.ran.err)
    assert "held" not in git(origin, "show", "main:infrastructure/k8s/bifrost.yaml")


def test_history_status_and_report_tell_of_it(sandbox: Sandbox) -> None:
    told = sandbox.ran.out
    assert len(re.findall(r"(?m)^bifrost .*, rollback$", told)) == 1
    assert len(re.findall(r"(?m)^\S+ .* current$", told[told.index("$ orbit-release status") :])) == len(SERVICES)
    page = (sandbox.folder / "report/index.html").read_text()
    assert [name for name in SERVICES if name not in page] == []


def test_the_failed_build_is_told(sandbox: Sandbox) -> None:
    assert re.search(r"(?m)^error: kafka-service: .*missing\.go", sandbox.ran.err)
    assert re.search(r"(?m)^error: not in the registry: \S*kafka-service:sha-", sandbox.ran.err)


def test_the_three_things_to_try_do_what_they_say(sandbox: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "orbit-release"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(warm.program())} "$@"\n')
    program.chmod(0o755)
    assert f"The sandbox stays in {sandbox.folder}" in sandbox.ran.out
    surroundings = environment(PATH=f"{tmp_path}:{os.environ['PATH']}")
    history, change, backwards = (
        subprocess.run(
            ["sh", "-c", line],
            cwd=sandbox.folder / "orbit",
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in sandbox.ran.out.splitlines()[-3:]
    )
    assert history.stdout.count("\n    release: ") == 8
    assert re.findall(r"(?m)^(\S+) +build ", change.stdout) == ["bifrost"]
    assert (backwards.returncode, "newer than" in backwards.stderr) == (6, True)


def test_a_folder_that_is_in_use_is_refused(sandbox: Sandbox) -> None:
    before = git(sandbox.folder / "origin.git", "rev-parse", "main")
    ran = run(str(sandbox.folder), "--registry", sandbox.registry)
    assert_two_lines(ran, 6, "is not empty")
    assert git(sandbox.folder / "origin.git", "rev-parse", "main") == before


def test_a_folder_that_cannot_be_made_is_refused(registry_host: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/below"):
        assert_two_lines(run(str(tmp_path / folder), "--registry", registry_host), 2, "cannot be made")


def test_a_folder_that_cannot_be_written_is_said_so(registry_host: str, tmp_path: Path) -> None:
    full = ("sh", "-c", 'ulimit -f 0 && exec "$@"', "sh")
    ran = run(str(tmp_path / "new"), "--registry", registry_host, wrap=full)
    assert_two_lines(ran, 9, f"{tmp_path}/new cannot be written")


def test_without_a_registry_the_hint_says_how_to_get_one(tmp_path: Path) -> None:
    assert_two_lines(run(str(tmp_path / "new")), 2, "--registry HOST:PORT", "scripts/demo")
    assert not (tmp_path / "new").exists()


def test_without_an_engine_nothing_is_made(registry_host: str, tmp_path: Path) -> None:
    ran = run(str(tmp_path / "new"), "--registry", registry_host, surroundings={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert_two_lines(ran, 9, "DOCKER_HOST")
    assert not (tmp_path / "new").exists()


def test_a_registry_that_does_not_answer_ends_the_demo_and_leaves_the_sandbox(tmp_path: Path) -> None:
    ran = run(str(tmp_path / "new"), "--registry", "127.0.0.1:9")
    assert (ran.code, f"the sandbox stays in {tmp_path / 'new'}" in ran.err) == (9, True)
    assert "`orbit-release build` ended with exit code 9" in ran.err
