"""The GitHub Actions files satisfy every validator, and every validator sees the fault that is planted for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.workflows.expressions import ROOT
from tests.workflows.lint import VALIDATORS

CHECKOUT = "uses: actions/checkout@8e8c483db84b4bee98b60c0593521ed34d9990e8 # v6.0.1"
FILES = {
    ".github/workflows/release.yml": f"""
name: Release
on:
  push:
    branches: [main]
permissions: {{}}
concurrency:
  group: release
  cancel-in-progress: false
  queue: max
jobs:
  plan:
    name: Plan
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # the checkout
    outputs:
      word: ${{{{ steps.say.outputs.word }}}}
    steps:
      - {CHECKOUT}
        with:
          persist-credentials: false
      - id: say
        uses: $/.github/actions/say
        with:
          word: hello
  call:
    name: Call
    needs: [plan]
    if: needs.plan.outputs.word != ''
    permissions: {{}}
    uses: $/.github/workflows/called.yml
    with:
      word: ${{{{ needs.plan.outputs.word }}}}
""",
    ".github/workflows/called.yml": """
name: Called
on:
  workflow_call:
    inputs:
      word:
        description: A word
        type: string
        required: true
permissions: {}
concurrency:
  group: called
  cancel-in-progress: false
jobs:
  echo:
    name: Echo
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {}
    steps:
      - run: echo "$WORD"
        env:
          WORD: ${{ inputs.word }}
""",
    ".github/actions/say/action.yml": """
name: Say
description: Says a word.
inputs:
  word:
    description: A word
    required: true
outputs:
  word:
    description: The same word
    value: ${{ steps.word.outputs.word }}
runs:
  using: composite
  steps:
    - id: word
      run: echo "word=$WORD" >>"$GITHUB_OUTPUT"
      shell: bash
      env:
        WORD: ${{ inputs.word }}
""",
    ".github/dependabot.yml": """
version: 2
updates:
  - package-ecosystem: github-actions
    directory: /
    schedule:
      interval: weekly
    cooldown:
      default-days: 7
""",
}
RELEASE, CALLED, SAY, DEPENDABOT = FILES
# validator, file, what stands there, what is planted instead, what must be said about it
FAULTS = [
    ("actionlint", RELEASE, "needs: [plan]", "needs: [plna]", 'needs job "plna" which does not exist'),
    ("actionlint", RELEASE, "word: hello", "wrod: hello", 'input "wrod" is not defined'),
    ("actionlint", RELEASE, "persist-credentials", "persist-credential", 'input "persist-credential" is not defined'),
    ("actionlint", RELEASE, "queue: max", "queue: mox", '"mox"'),
    ("actionlint", CALLED, 'echo "$WORD"', "echo $WORD", "SC2086"),
    ("actionlint", SAY, '"word=$WORD"', "word=$WORD", "SC2086"),
    ("actionlint", SAY, "steps.word.outputs", "steps.wrod.outputs", 'property "wrod" is not defined'),
    ("zizmor", CALLED, "$WORD", "${{ github.event.head_commit.message }}", "template-injection"),
    ("zizmor", RELEASE, CHECKOUT, "uses: actions/checkout@v6", "unpinned-uses"),
    ("zizmor", RELEASE, "persist-credentials: false", "persist-credentials: true", "artipacked"),
    ("zizmor", CALLED, "permissions: {}\nconcurrency", "concurrency", "excessive-permissions"),
    ("zizmor", SAY, "$WORD", "${{ inputs.word }}", "template-injection"),
    ("zizmor", DEPENDABOT, "default-days: 7", "default-days: 1", "dependabot-cooldown"),
    ("language service", RELEASE, "timeout-minutes", "timeout-minute", "Unexpected value 'timeout-minute'"),
    ("language service", RELEASE, "if: needs", "if: fromYAML(needs)", "Unrecognized function: 'fromYAML'"),
    ("language service", RELEASE, "outputs.word != ''", "outputs.wrod != ''", "might be invalid: wrod"),
    ("language service", RELEASE, "steps.say.", "steps.sya.", "might be invalid: sya"),
    ("language service", RELEASE, "word: hello", "wrod: hello", "Invalid action input 'wrod'"),
    ("language service", RELEASE, "      word: ${{ needs", "      wrod: ${{ needs", "wrod is not defined"),
    ("language service", SAY, "      shell: bash\n", "", "Required property is missing: shell"),
    ("language service", SAY, "using: composite", "using: compost", "compost"),
    ("pins", RELEASE, CHECKOUT, "uses: actions/checkout@v6 # v6.0.1", "checkout@v6"),
    ("pins", RELEASE, " # v6.0.1", "", "checkout@8e8c"),
    ("pins", RELEASE, " # v6.0.1", " # v6", "checkout@8e8c"),
    ("pins", RELEASE, CHECKOUT, CHECKOUT.replace("uses: ", "uses: '").replace(" #", "' #"), "checkout"),
    ("pins", CALLED, "- run:", f"- {CHECKOUT[:-1]}2\n      - run:", "actions/checkout: 8e8c"),
    ("pins", CALLED, "- run:", f"- {CHECKOUT.replace('@8', '@9')}\n      - run:", "actions/checkout: v6.0.1"),
    ("jobs", RELEASE, "    timeout-minutes: 5\n", "", "plan has no timeout-minutes"),
    ("jobs", CALLED, "    permissions: {}\n", "", "echo has no permissions"),
    ("triggers", RELEASE, "  push:\n", "  pull_request_target:\n  push:\n", "pull_request_target"),
    ("triggers", RELEASE, "    branches: [main]\n", "    paths: [src/**]\n", "push has paths"),
    ("triggers", RELEASE, "    branches: [main]\n", "    paths-ignore: [docs/**]\n", "push has paths-ignore"),
    ("ignores", CALLED, "name: Echo", "name: Echo # zizmor: ignore[artipacked]", "artipacked"),
]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository in which nothing is wrong."""
    (tmp_path / ".git").mkdir()  # how actionlint knows a repository's root
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.lstrip(), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("validator", VALIDATORS)
def test_this_repository_gives_a_validator_nothing_to_say(validator: str) -> None:
    assert VALIDATORS[validator](ROOT) == []


@pytest.mark.parametrize("validator", VALIDATORS)
def test_a_validator_has_nothing_to_say_where_nothing_is_wrong(repository: Path, validator: str) -> None:
    assert VALIDATORS[validator](repository) == []


@pytest.mark.parametrize(("validator", "name", "old", "new", "expected"), FAULTS)
def test_a_validator_finds_a_planted_fault(
    repository: Path, validator: str, name: str, old: str, new: str, expected: str
) -> None:
    text = (repository / name).read_text(encoding="utf-8")
    assert old in text
    (repository / name).write_text(text.replace(old, new), encoding="utf-8")
    assert expected in "\n".join(VALIDATORS[validator](repository))


@pytest.mark.parametrize("validator", VALIDATORS)
def test_no_validator_is_content_with_a_repository_without_workflows(tmp_path: Path, validator: str) -> None:
    with pytest.raises(AssertionError):
        VALIDATORS[validator](tmp_path)


def test_the_lock_of_the_npm_packages_names_hashes_and_no_registry() -> None:
    lock = json.loads(Path(__file__).with_name("package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert all(re.match("sha512-", package["integrity"]) for package in packages.values())
    assert [name for name, package in packages.items() if "resolved" in package] == []
