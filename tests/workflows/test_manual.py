"""What the manual tells others to do with the workflow: done to a copy of it, which is then held to the same rules."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from textwrap import indent

import pytest

from tests.manual import DOCS, block_after
from tests.workflows.expressions import ROOT
from tests.workflows.lint import VALIDATORS

WORKFLOW = ".github/workflows/build-and-push.yml"
ACTION = "OWNER/orbit-release/.github/actions/orbit-release@"


def steps_with_an_app() -> str:
    steps = block_after(DOCS / "publishing.md", "the steps of the job `release` with a GitHub App")
    return indent(steps, " " * 6)


def adopted(workflow: str) -> str:
    """Return the workflow as step 3 has it: with the action of another repository."""
    step = block_after(DOCS / "github-actions.md", "the step that installs the tool")
    (line,) = re.findall(rf"uses: {ACTION}([0-9a-f]{{40}})$", step, re.MULTILINE)
    text, count = re.subn(r"\$/\.github/actions/orbit-release # .*", f"{ACTION}{line} # v1.0.0", workflow)
    assert count == 3
    return text


def with_an_app(workflow: str) -> str:
    """Return the workflow with the steps for a protected branch in place of the last one."""
    head, last, _ = workflow.rpartition("      - name: Release what is built\n")
    assert last
    steps = steps_with_an_app()
    # The workflow's own pins are kept up to date; the manual's are of the day on which it was written.
    for action, pin in re.findall(r"uses: (docker/login-action)@(.*)", workflow):
        steps = re.sub(rf"uses: {action}@.*", f"uses: {action}@{pin}", steps)
    return head + steps


@pytest.mark.parametrize("change", [adopted, with_an_app])
@pytest.mark.parametrize("validator", VALIDATORS)
def test_a_workflow_that_was_adopted_as_the_manual_says(validator: str, change: object, tmp_path: Path) -> None:
    assert callable(change)
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    file = tmp_path / WORKFLOW
    before = file.read_text(encoding="utf-8")
    file.write_text(change(before), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != before
    assert VALIDATORS[validator](tmp_path) == []


def test_the_last_step_is_the_workflows_own_but_for_the_token() -> None:
    last = "      - name: Release what is built\n"
    own = (ROOT / WORKFLOW).read_text(encoding="utf-8").rpartition(last)[2].rstrip()
    theirs = steps_with_an_app().rpartition(last)[2].rstrip()
    assert theirs.replace("steps.app.outputs.token", "github.token") == own


def test_the_manual_names_every_job() -> None:
    jobs = re.findall(r"(?m)^    name: (\w+)", (ROOT / WORKFLOW).read_text(encoding="utf-8"))
    assert jobs == ["Plan", "Build", "Release"]
    page = (DOCS / "github-actions.md").read_text(encoding="utf-8")
    assert all(re.search(rf"(?m)^\| {job}\b", page) for job in jobs)
