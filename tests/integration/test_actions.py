"""What the tool says inside GitHub Actions, and that it says nothing of it anywhere else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.monorepo import FOLDER, Monorepo, Ran, git, pushed, sha
from tests.servers.registry import RegistryServer
from tests.servers.serving import serving

PASSWORD = "correct horse battery"  # what it is in Docker's config


class Step:
    """A step of a job: the tool with the files that a runner gives it."""

    def __init__(self, repo: Monorepo, folder: Path) -> None:
        self.repo, self.output, self.summary = repo, folder / "output", folder / "summary"

    def run(self, *arguments: str, actions: str = "true", **extra: str) -> Ran:
        files = {"GITHUB_OUTPUT": str(self.output), "GITHUB_STEP_SUMMARY": str(self.summary)}
        sha = extra.pop("GITHUB_SHA", None) or git(self.repo.origin, "rev-parse", "main")
        return self.repo.run(
            *arguments, directory=None, **(extra | files | {"GITHUB_ACTIONS": actions, "GITHUB_SHA": sha})
        )

    @property
    def told(self) -> str:
        return self.summary.read_text() if self.summary.exists() else ""


@pytest.fixture
def step(offline: Monorepo, tmp_path: Path) -> Step:
    return Step(offline, tmp_path)


@pytest.fixture
def online(monorepo: Monorepo, tmp_path: Path) -> Step:
    return Step(monorepo, tmp_path)


def commands(ran: Ran) -> list[str]:
    return [line for line in (ran.out + ran.err).splitlines() if line.startswith("::")]


def test_a_plan_writes_its_table_into_the_summary(step: Step) -> None:
    assert step.run("plan").code == 0
    assert step.told.startswith("### To release: `web`, `api`, `worker`\n\n| Service | Action | Target | Reason |")
    assert f"| `api` | build | `{sha(git(step.repo.origin, 'rev-parse', 'main'))}` |" in step.told


def test_on_a_pull_request_the_summary_says_what_merging_releases(step: Step) -> None:
    head = sha(step.repo.git("rev-parse", "HEAD"))
    step.repo.deploy(web=head, api=head, worker=head)
    step.repo.git("switch", "-qc", "feature", "HEAD~1")
    step.repo.commit("feature", {"web/a": "1"})
    step.repo.git("switch", "-q", "--detach", "main")
    step.repo.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    merged = step.repo.git("rev-parse", "HEAD")
    assert step.run("plan", "--no-registry", GITHUB_SHA=merged, GITHUB_EVENT_NAME="pull_request").code == 0
    assert step.told.startswith("### Merging this releases: `web`\n")


def test_a_bump_writes_what_it_released_and_what_is_missing(online: Step) -> None:
    commit = git(online.repo.origin, "rev-parse", "main")
    pushed(online.repo, "api", commit)
    ran = online.run("bump", "--built", GITHUB_SERVER_URL="https://github.com", GITHUB_REPOSITORY="octo/orbit")
    assert ran.code == 5
    assert online.told.startswith(f"### `release: api {sha(commit)}` on `main`\n")
    assert f"- `{online.repo.host}/orbit/web:{sha(commit)}`" in online.told
    assert [line[:30] for line in commands(ran)] == ["::error::not in the registry: "]


def test_a_fault_of_the_configuration_is_annotated_at_its_line(step: Step) -> None:
    text = step.repo.at_origin("orbit-release.yaml").replace("branch: main", "brunch: main")
    step.repo.push("typo", {"orbit-release.yaml": text})
    ran = step.run("plan")
    line, column = text[: text.index("brunch")].count("\n") + 1, 1
    (shown,) = commands(ran)
    assert (ran.code, shown in ran.out.splitlines()) == (3, True)
    place, told = f"file=orbit-release.yaml,line={line},col={column}", ran.err.splitlines()
    assert told[0].startswith(f"error: orbit-release.yaml:{line}:{column}: ")
    assert told[1].startswith("hint: ")
    assert shown == f"::error {place}::{told[0].partition(f':{column}: ')[2]}%0A{told[1]}"


def test_a_fault_of_a_manifest_is_annotated_at_its_line(step: Step) -> None:
    text = step.repo.at_origin(f"{FOLDER}/api.yaml") + "          bad: [\n"
    step.repo.push("broken", {f"{FOLDER}/api.yaml": text})
    plan, bump = step.run("plan"), step.run("bump", "api", "v1", "--no-verify")
    assert (plan.code, bump.code) == (0, 4)
    assert commands(plan)[0].startswith(f"::warning file={FOLDER}/api.yaml,line=")
    assert commands(bump)[-1].startswith(f"::error file={FOLDER}/api.yaml,line=")


def test_a_warning_is_an_annotation(step: Step) -> None:
    lost = step.repo.commit("lost", {"web/a": "1"})
    step.repo.git("branch", "kept")
    step.repo.git("reset", "-q", "--hard", "HEAD~1")
    step.repo.commit("instead", {"web/b": "1"})
    step.repo.deploy(web=sha(lost))
    assert [line.split("::")[1] for line in commands(step.run("plan"))] == ["warning"]


def test_each_build_has_a_group_of_its_own_in_the_log(online: Step, docker_host: str) -> None:
    online.repo.push("break", {"services/api/Dockerfile": "FROM scratch\nCOPY ##[add-mask]main /\n"})
    ran = online.run("build", DOCKER_HOST=docker_host)
    shown = [line for line in commands(ran) if "group" in line]
    assert ran.code == 7
    assert sorted(shown[::2]) == ["::group::api", "::group::web", "::group::worker"]
    assert shown[1::2] == ["::endgroup::"] * 3
    assert "##[" not in ran.err
    image = f"{online.repo.host}/orbit/web:{sha(git(online.repo.origin, 'rev-parse', 'main~1'))}"
    assert f"| `web` | built | `{image}` | `sha256:" in online.told
    assert "| `api` | failed | " in online.told


def test_nothing_that_a_commit_brings_in_is_a_command(step: Step) -> None:
    head = step.repo.git("rev-parse", "HEAD")
    step.repo.deploy(web=sha(head))
    step.repo.push("odd", {"web/##[add-mask]main": "1"})
    ran = step.run("plan", "web")
    assert "## [add-mask]main" in ran.out
    assert "##[" not in ran.out + ran.err


@pytest.fixture
def locked() -> Iterator[RegistryServer]:
    server = RegistryServer()
    server.scheme, server.passwords = "Bearer", {f"ada-the-user:{PASSWORD}"}
    with serving(server, server.stopping):
        yield server


def docker_config(folder: Path, host: str) -> str:
    encoded = base64.b64encode(f"ada-the-user:{PASSWORD}".encode()).decode()
    (folder / "docker").mkdir()
    (folder / "docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": encoded}}}))
    return str(folder / "docker")


@pytest.mark.parametrize(("actions", "shown"), [("true", True), ("false", False)])
def test_secrets_of_registries_are_masked_and_user_names_are_not(
    tmp_path: Path,
    locked: RegistryServer,
    actions: str,
    shown: bool,  # noqa: FBT001
) -> None:
    step = Step(Monorepo.create(tmp_path, locked.host), tmp_path)
    ran = step.run("plan", "api", "--registry", actions=actions, DOCKER_CONFIG=docker_config(tmp_path, locked.host))
    assert ran.code == 0, ran.err
    assert (f"::add-mask::{PASSWORD}" in commands(ran)) == shown
    assert (PASSWORD in ran.err) == shown
    assert "::add-mask::ada-the-user" not in commands(ran)
    assert PASSWORD not in ran.out


def test_outside_of_actions_nothing_of_it_is_printed(online: Step, docker_host: str) -> None:
    broken = {"services/api/Dockerfile": "FROM scratch\nCOPY missing /\n"}
    online.repo.push("break", broken)
    for arguments in (("plan",), ("build",), ("bump", "--built"), ("plan", "nobody")):
        ran = online.run(*arguments, actions="", DOCKER_HOST=docker_host)
        assert commands(ran) == []
    assert online.told == ""
    assert "error: " in ran.err
