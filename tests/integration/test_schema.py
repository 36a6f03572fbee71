"""The JSON documents of the real commands are what orbit_release/output.schema.json says, no more and no less."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from jsonschema import Draft202012Validator

from orbit_release.cli.doctor import GROUPS
from orbit_release.planning.actions import Action
from tests.integration.monorepo import FOLDER, Monorepo, Ran, git, pushed, sha

SCHEMA: dict[str, Any] = json.loads((files("orbit_release") / "output.schema.json").read_bytes())
ANY_DOCUMENT = Draft202012Validator(SCHEMA)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def document(ran: Ran, name: str) -> dict[str, Any]:
    """Return the JSON on stdout, valid as `name` and, with a version, as a document of the tool."""
    assert ran.out, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    validator(name).validate(found)
    assert ANY_DOCUMENT.is_valid(found) == ("version" in found)
    return found


def planned(repo: Monorepo, *arguments: str) -> dict[str, Any]:
    return document(repo.run("plan", "--format", "json", *arguments), "plan")


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["action"] for one in found["services"]}


def without_each_key(value: Any) -> Iterator[Any]:
    """Yield copies of a document, each without one key somewhere in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {other: kept for other, kept in value.items() if other != key}
            yield from ({**value, key: less} for less in without_each_key(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], less, *value[index + 1 :]] for less in without_each_key(inner))


def with_one_key_more(value: Any) -> Iterator[Any]:
    """Yield copies of a document, each with an unknown key in one of its objects."""
    if isinstance(value, dict):
        yield {**value, "unheard-of": 1}
        for key, inner in value.items():
            yield from ({**value, key: more} for more in with_one_key_more(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], more, *value[index + 1 :]] for more in with_one_key_more(inner))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_names_every_action() -> None:
    assert SCHEMA["$defs"]["servicePlan"]["properties"]["action"]["enum"] == [str(action) for action in Action]


def test_a_plan_of_what_is_to_be_built_and_what_is_absent(offline: Monorepo) -> None:
    offline.deploy(api=sha(offline.git("rev-parse", "HEAD")))
    offline.push("web", {"web/a": "1", "services/worker/Dockerfile": None})
    assert actions(planned(offline)) == {"web": "build", "api": "current", "worker": "absent"}


def test_a_plan_of_what_is_to_be_released_and_what_is_held(monorepo: Monorepo) -> None:
    commit = monorepo.git("rev-parse", "HEAD")
    pushed(monorepo, "web", commit)
    monorepo.deploy(api="v1.2.3")
    assert actions(planned(monorepo, "--registry")) == {"web": "release", "api": "held", "worker": "build"}


def test_a_plan_tells_the_files_that_changed_whatever_their_names(offline: Monorepo) -> None:
    offline.git("rm", "-q", "--cached", "web/Dockerfile")
    (offline.clone / "web/Dockerfile").unlink()
    (offline.clone / "web/Dockerfile").symlink_to("../proto/api.proto")
    (offline.clone / "web").joinpath(b"\xff \x1b\n".decode("utf-8", "surrogateescape")).write_text("1")
    offline.push("odd", {"proto/api.proto": "changed", "services/api/Dockerfile": "FROM scratch\n"})
    found = planned(offline, "--base", "HEAD~1")
    assert {file["status"] for one in found["services"] for file in one["files"]} == {"A", "M", "T"}


def test_a_plan_against_the_empty_tree(offline: Monorepo) -> None:
    assert planned(offline, "--base", "0" * 40)["base"] == "the empty tree"


def test_a_plan_for_a_commit_that_was_pushed_away(offline: Monorepo) -> None:
    lost = offline.push("lost", {"web/a": "1"})
    offline.git("reset", "-q", "--hard", "HEAD~1")
    offline.commit("instead", {"web/b": "1"})
    offline.git("push", "-qf", "origin", "HEAD:main")
    assert planned(offline, "--head", lost)["superseded"] is True


def test_a_plan_of_history_that_diverged_carries_a_warning(offline: Monorepo) -> None:
    lost = offline.commit("lost", {"web/a": "1"})
    offline.git("branch", "kept")
    offline.git("reset", "-q", "--hard", "HEAD~1")
    offline.commit("instead", {"web/b": "1"})
    offline.deploy(web=sha(lost))
    found = {one["name"]: one for one in planned(offline)["services"]}
    assert "is not an ancestor" in found["web"]["warning"]


def test_a_plan_without_any_commit(offline: Monorepo) -> None:
    offline.git("checkout", "-q", "--orphan", "unborn")
    assert planned(offline)["head"] is None


def test_the_matrix(offline: Monorepo) -> None:
    assert len(document(offline.run("plan", "--format", "matrix"), "matrix")["include"]) == 3
    assert document(offline.run("plan", "--format", "matrix", "--base", "HEAD"), "matrix") == {"include": []}


def test_builds_that_succeed_fail_and_are_there_already(monorepo: Monorepo, docker_host: str) -> None:
    pushed(monorepo, "web", monorepo.git("rev-parse", "HEAD"))
    monorepo.push("break the api", {"services/api/Dockerfile": "FROM scratch\nCOPY missing /\n"})
    ran = monorepo.run("build", "--format", "json", DOCKER_HOST=docker_host)
    statuses = {one["name"]: one["status"] for one in document(ran, "build")["services"]}
    assert (ran.code, statuses) == (7, {"web": "skipped", "api": "failed", "worker": "built"})


def test_a_build_that_stays_in_the_engine(offline: Monorepo, docker_host: str) -> None:
    ran = offline.run("build", "web", "--no-push", "--format", "json", DOCKER_HOST=docker_host)
    assert document(ran, "build")["services"][0]["digest"] is None


def test_nothing_to_build(offline: Monorepo) -> None:
    commit = sha(offline.git("rev-parse", "HEAD"))
    offline.deploy(web=commit, api=commit, worker=commit)
    assert document(offline.run("build", "--no-push", "--format", "json"), "build")["services"] == []


def test_a_bump_and_one_that_has_nothing_to_do(offline: Monorepo) -> None:
    bump = ("bump", "api", sha(offline.git("rev-parse", "HEAD")), "--no-verify", "--format", "json")
    assert document(offline.run(*bump), "bump")["commit"] == git(offline.origin, "rev-parse", "main")
    nothing: dict[str, Any] = {"version": 1, "commit": None, "pull_request": None, "edits": [], "holds": []}
    assert document(offline.run(*bump), "bump") == nothing


def test_a_rollback_a_hold_and_what_they_leave_behind(offline: Monorepo) -> None:
    tags = [sha(offline.push(name, {f"services/api/{name}": "1"})) for name in ("a", "b")]
    for tag in tags:
        offline.run("bump", "api", tag, "--no-verify")
    rolled = document(offline.run("rollback", "api", "--no-verify", "--format", "json"), "bump")
    assert [one["after"] for one in rolled["holds"]] == [f"rolled back from {tags[1]}"]
    assert document(offline.run("hold", "web", "-m", "why", "--format", "json"), "bump")["edits"] == []
    offline.git("fetch", "-q")
    history = document(offline.run("history", "--format", "json"), "history")["releases"]
    assert [one["tag"] for one in history if one["rollback"]] == tags[:1]
    status = document(offline.run("status", "--offline", "--format", "json"), "status")
    assert {one["name"]: one["hold"] for one in status["services"]} == {
        "web": "why",
        "api": f"rolled back from {tags[1]}",
        "worker": None,
    }


def test_a_release_of_what_is_built_names_what_is_missing(monorepo: Monorepo) -> None:
    commit = monorepo.git("rev-parse", "HEAD")
    pushed(monorepo, "api", commit)
    ran = monorepo.run("bump", "--built", "--format", "json")
    found = document(ran, "bump")
    assert (ran.code, [edit["path"] for edit in found["edits"]]) == (5, [f"{FOLDER}/api.yaml"])
    assert found["missing"] == [f"{monorepo.host}/orbit/{name}:{sha(commit)}" for name in ("web", "worker")]


def test_a_checklist_with_each_state(monorepo: Monorepo, docker_host: str) -> None:
    ran = monorepo.run("doctor", "--format", "json", DOCKER_HOST=docker_host, GITHUB_TOKEN="")
    found = document(ran, "doctor")
    assert ran.code == 1  # nobody has pushed the images
    assert {one["state"] for one in found["lines"]} == {"ok", "failed", "not checked"}
    assert list(dict.fromkeys(one["group"] for one in found["lines"])) == list(GROUPS)
    altered = [*without_each_key(found), *with_one_key_more(found)]
    assert not [one for one in altered if ANY_DOCUMENT.is_valid(one)]


def test_no_document_may_lack_a_key_or_have_another(offline: Monorepo) -> None:
    offline.push("web", {"web/a": "1"})
    bump = ("bump", "web", sha(offline.git("rev-parse", "HEAD")), "--no-verify", "--format", "json")
    for found in (planned(offline, "--base", "HEAD~1"), document(offline.run(*bump), "bump")):
        altered = [*without_each_key(found), *with_one_key_more(found)]
        assert not [one for one in altered if ANY_DOCUMENT.is_valid(one)]


def test_the_schema_ships_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        assert json.loads(archive.read("orbit_release/output.schema.json")) == SCHEMA
