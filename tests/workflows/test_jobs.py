"""Which jobs start after which results, under which names and in which groups: the workflow's own expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from tests.workflows.expressions import ROOT, Status, interpolate
from tests.workflows.lint import load
from tests.workflows.machine import Site
from tests.workflows.runner import Event, Job, Run, holds

SITE = Site("https://github.com", "https://api.github.com", "octo/orbit", "secret")
SERVICES = list(yaml.safe_load((ROOT / "orbit-release.yaml").read_text(encoding="utf-8"))["services"])
NOWHERE = Path("/nonexistent")  # deciding leaves nothing behind


def new_run(event: Event | None = None) -> Run:
    return Run(SITE, NOWHERE, event or Event("0" * 40))


def planned(to_build: Iterable[str], *, pending: bool | None = None) -> Run:
    """Return a run that has planned to build these services; without a word more they are all that is pending."""
    services = list(to_build)
    answers = {"any": bool(services), "pending": bool(services) if pending is None else pending}
    matrix = json.dumps({"include": [{"service": name} for name in services]})
    run = new_run()
    outputs = {"matrix": matrix} | {name: str(answer).lower() for name, answer in answers.items()}
    run.jobs["plan"] = [Job("Plan", "success", outputs=outputs)]
    return run


def after_builds(run: Run, *results: str) -> list[str]:
    """Return the names of the jobs that start once the builds ended so."""
    run.jobs["build"] = [Job("Build", result) for result in results]
    return [leg.name for leg in run.legs("release")]


@pytest.mark.parametrize("services", [SERVICES[:1], SERVICES[1:], SERVICES], ids=["one", "six", "seven"])
def test_each_service_to_build_has_a_job_of_its_own_name_and_group(services: list[str]) -> None:
    legs = planned(services).legs("build")
    assert [(leg.name, leg.group) for leg in legs] == [
        (f"Build {name}", f"orbit-release-build-{name}") for name in services
    ]


def test_there_are_seven_services() -> None:
    assert len(SERVICES) == 7
    assert "bifrost" in SERVICES


def test_the_plan_starts_first_and_waits_for_nobody() -> None:
    (leg,) = new_run().legs("plan")
    assert (leg.name, leg.group) == ("Plan", "")


def test_where_nothing_changed_the_plan_is_all() -> None:
    run = planned([])
    assert run.legs("build") == []
    assert after_builds(run, "skipped") == []


def test_images_that_wait_from_a_dropped_run_are_released_without_a_build() -> None:
    run = planned([], pending=True)
    assert run.legs("build") == []
    assert after_builds(run, "skipped") == ["Release"]


@pytest.mark.parametrize(
    "results", [("success", "success"), ("success", "failure"), ("failure",), ("success", "cancelled")]
)
def test_what_is_built_is_released_whatever_became_of_the_other_builds(results: tuple[str, ...]) -> None:
    assert after_builds(planned(SERVICES[: len(results)]), *results) == ["Release"]


@pytest.mark.parametrize("result", ["success", "failure", "cancelled", "skipped"])
def test_a_cancelled_run_releases_nothing(result: str) -> None:
    run = planned(SERVICES)
    run.cancelled = True
    assert run.legs("build") == []
    assert after_builds(run, result) == []


@pytest.mark.parametrize("result", ["failure", "cancelled"])
def test_without_a_plan_nothing_is_built_or_released(result: str) -> None:
    run = planned(SERVICES)  # outputs of a step before the one that failed do not count either
    run.jobs["plan"] = [Job("Plan", result, outputs=run.jobs["plan"][0].outputs)]
    assert run.legs("build") == []
    assert after_builds(run, "skipped") == []


def test_releases_are_made_one_after_the_other_whichever_run_they_belong_to() -> None:
    runs = [planned(SERVICES[:1]), planned(SERVICES[1:])]
    for run in runs:
        run.jobs["build"] = [Job("Build", "success")]
    assert [leg.group for run in runs for leg in run.legs("release")] == ["orbit-release", "orbit-release"]


def test_two_runs_build_a_service_one_after_the_other() -> None:
    first, second = planned(SERVICES[:2]).legs("build"), planned(SERVICES[1:3]).legs("build")
    shared = {leg.group for leg in first} & {leg.group for leg in second}
    assert shared == {f"orbit-release-build-{SERVICES[1]}"}


def test_every_waiting_job_keeps_its_place_in_the_queue() -> None:
    groups = {name: node["concurrency"]["queue"] for name, node in new_run().nodes.items() if "concurrency" in node}
    assert groups == {"build": "max", "release": "max"}


def test_each_job_has_the_rights_that_it_needs_and_no_others() -> None:
    reads, builds = {"contents": "read", "packages": "read"}, {"id-token": "write", "attestations": "write"}
    assert new_run().workflow["permissions"] == {}
    assert {name: node["permissions"] for name, node in new_run().nodes.items()} == {
        "plan": reads,
        "build": {"contents": "read", "packages": "write", **builds},
        "release": {"contents": "write", "packages": "read"},
    }


def test_wherever_the_tool_runs_it_has_the_history_without_the_contents_of_files() -> None:
    first = {
        name: next(step["with"] for step in node["steps"] if step.get("uses", "").startswith("actions/checkout@"))
        for name, node in new_run().nodes.items()
    }
    wanted = {"fetch-depth": 0, "filter": "blob:none", "persist-credentials": True}
    assert first == dict.fromkeys(("plan", "build", "release"), wanted)


def test_qemu_is_set_up_where_platforms_are_named() -> None:
    (step,) = (one for one in new_run().nodes["build"]["steps"] if "setup-qemu" in one.get("uses", ""))
    now = {"steps": {"now": {"outputs": {"any": "true"}}}}
    wanted = {
        platforms: holds(step["if"], {**now, "matrix": {"platforms": platforms}}, Status.of_step())
        for platforms in ("", "linux/arm64")
    }
    assert wanted == {"": False, "linux/arm64": True}


def test_a_fork_that_follows_main_plans_nothing() -> None:
    assert new_run(Event("0" * 40, fork=True)).legs("plan") == []


def test_the_tool_has_the_token_wherever_it_runs() -> None:
    steps = [step for node in new_run().nodes.values() for step in node["steps"]]
    steps = [step for step in steps if "orbit-release " in step.get("run", "")]
    assert [step["env"]["GITHUB_TOKEN"] for step in steps] == ["${{ github.token }}"] * 3


@pytest.mark.parametrize(("private", "attested"), [(False, True), (True, False)])
def test_images_of_private_repositories_are_not_attested(*, private: bool, attested: bool) -> None:
    run = new_run(Event("0" * 40, private=private))
    contexts = {"github": run.github, "steps": {"now": {"outputs": {"any": "true"}}}}
    (step,) = (step for step in run.nodes["build"]["steps"] if step.get("uses", "").startswith("actions/attest@"))
    assert holds(step["if"], contexts, Status.of_step()) is attested


def test_a_push_to_another_branch_starts_no_run() -> None:
    with pytest.raises(ValueError, match="starts no run"):
        new_run(Event("0" * 40, "refs/heads/topic"))


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [({}, {"services": "", "force": False}), ({"force": True}, {"services": "", "force": True})],
)
def test_what_is_not_said_by_hand_has_a_default(inputs: dict[str, object], wanted: dict[str, object]) -> None:
    assert new_run(Event("0" * 40, inputs=inputs)).inputs == wanted


# ci.yml

CI = load(ROOT / ".github/workflows/ci.yml")


def test_the_tests_run_with_every_python_that_is_supported() -> None:
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert CI["jobs"]["test"]["strategy"]["matrix"]["python"] == supported
    assert CI["jobs"]["test"]["steps"][-1]["run"] == "scripts/test"


@pytest.mark.parametrize(
    ("event", "base", "starts"), [("pull_request", "main", True), ("pull_request", "topic", False), ("push", "", False)]
)
def test_what_merging_releases_is_asked_for_pull_requests_to_main(event: str, base: str, *, starts: bool) -> None:
    contexts = {"github": {"event_name": event, "base_ref": base}}
    assert holds(CI["jobs"]["preview"]["if"], contexts, Status()) is starts
    assert CI["jobs"]["preview"]["permissions"] == {"contents": "read"}


def test_each_commit_of_main_is_tested_and_of_a_pull_request_the_newest() -> None:
    def group(event: str, ref: str, sha: str) -> object:
        return interpolate(CI["concurrency"]["group"], {"github": {"event_name": event, "ref": ref, "sha": sha}})

    assert group("push", "refs/heads/main", "1") != group("push", "refs/heads/main", "2")
    assert group("pull_request", "refs/pull/1/merge", "1") == group("pull_request", "refs/pull/1/merge", "2")
