"""The rules about workflows: each fault is found alone, and what is right stays quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from orbit_release.check.finding import Finding, Note
from orbit_release.check.tree import Tree
from orbit_release.check.workflow_rules import check_workflows
from orbit_release.globs import Globs
from orbit_release.image import Repository
from orbit_release.service import BuildSettings, Service

PATH = ".github/workflows/release.yml"
WORKFLOW = """\
name: Release
on:
  push:
    branches: [main]
permissions: {}
jobs:
  plan:
    permissions:
      contents: read
      packages: read
    steps:
      - uses: actions/checkout@v5
        with: {fetch-depth: 0, filter: "blob:none"}
      - run: orbit-release plan --format github
        env: {GITHUB_TOKEN: "${{ github.token }}"}
  build:
    strategy:
      matrix: ${{ fromJSON(needs.plan.outputs.matrix) }}
    steps:
      - uses: docker/build-push-action@v6
        with:
          cache-from: type=gha,scope=${{ matrix.cache_scope }}
          cache-to: type=gha,scope=${{ matrix.cache_scope }},mode=max
  release:
    permissions:
      contents: write
      packages: read
    steps:
      - uses: actions/checkout@v5
        with:
          fetch-depth: 0
      - run: |
          orbit-release bump --built \\
            -- "${services[@]}"
        env:
          GITHUB_TOKEN: ${{ github.token }}
"""
FILES = {"services/api/main.go": None, "services/api/README.md": None, "proto/a.proto": None}


def service(host: str = "ghcr.io") -> Service:
    return Service("api", Repository(f"{host}/o/api"), Globs(("services/api/**",)), BuildSettings(".", "Dockerfile"))


def found(text: str, host: str = "ghcr.io", path: str = PATH) -> list[str]:
    """Return what is found as `line rule: message`; a note is its message."""
    tree = Tree({**FILES, path: None}, lambda _: text.encode())
    inputs = [one for one in FILES if one.startswith("services/")]
    findings = check_workflows([service(host)], tree, lambda _: inputs)
    return [_told(one) for one in findings]


def _told(one: Finding | Note) -> str:
    return f"{one.line} {one.rule.name}: {one.message}" if isinstance(one, Finding) else one.message


NO_WRITER = ("    permissions:\n      contents: write\n      packages: read\n", "")
READER = "      packages: read\n    steps:\n      - uses: actions/checkout@v5\n        with: {"
MD, GO = "a push that changes services/api/README.md, an input of api", "services/api/main.go, an input of api"


@pytest.mark.parametrize(
    ("old", "new", "line", "rule", "words"),
    [
        ("      contents: read\n", "", 8, "permissions", "needs `contents: read`, and its job grants `contents: none`"),
        (READER, READER.partition("\n")[2], 8, "permissions", "plan` needs `packages: read`"),
        ("orbit-release bump", "if true; then exec orbit-release build", 25, "permissions", "`packages: write`"),
        ("contents: write", "contents: read", 25, "permissions", "bump` needs `contents: write`"),
        ("bump --built", "bump --built --pr", 25, "permissions", "bump` needs `pull-requests: write`"),
        ("bump --built", "build; orbit-release bump", 25, "permissions", "build` needs `packages: write`"),
        ('fetch-depth: 0, filter: "blob:none"', "fetch-depth: 1", 12, "history", "the checkout is shallow"),
        ("        with:\n          fetch-depth: 0\n", "", 29, "history", "the checkout is shallow"),
        ("actions/checkout@v5\n        with:\n", "a/b@v1\n        with:\n", 24, "history", "checks nothing out"),
        ("cache-from: type=gha,scope=${{ matrix.cache_scope }}", "cache-from: type=gha", 22, "cache", "`cache-from`"),
        ("scope=${{ matrix.cache_scope }},mode", "scope=all,mode", 23, "cache", "`cache-to`"),
        ("[main]\n", "[main]\n    paths: ['services/*/*.go']\n", 5, "filter", f"`paths` hides {MD}"),
        ("[main]\n", "[main]\n    paths: ['**', '!**.md']\n", 5, "filter", MD),
        ("[main]\n", "[main]\n    paths: proto/**\n", 5, "filter", GO),
        ("[main]\n", "[main]\n    paths-ignore: ['**/README.md']\n", 5, "filter", f"`paths-ignore` hides {MD}"),
    ],
)  # fmt: skip
def test_a_fault_is_found_alone(old: str, new: str, line: int, rule: str, words: str) -> None:
    assert old in WORKFLOW
    (told,) = found(WORKFLOW.replace(old, new, 1))
    assert (told.startswith(f"{line} workflow-{rule}: "), words in told) == (True, True), told


def test_the_workflow_s_own_permissions_hold_where_the_job_has_none() -> None:
    told = found(WORKFLOW.replace(*NO_WRITER))
    assert [one.partition(", and ")[0] for one in told] == [
        f"5 workflow-permissions: `orbit-release bump` needs `{name}`" for name in ("contents: write", "packages: read")
    ]


def test_without_any_permissions_the_step_is_named() -> None:
    told = found(WORKFLOW.replace("permissions: {}\n", "").replace(*NO_WRITER))
    assert [one[:2] for one in told] == ["28", "28"]
    assert all(one.endswith("and neither its job nor the workflow names permissions") for one in told)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("permissions: {}", "permissions: read-all"),
        ("    permissions:\n      contents: write\n      packages: read\n", "    permissions: write-all\n"),
        ("${{ github.token }}\n", "${{ steps.app.outputs.token }}\n"),
        ("bump --built", "bump --built --dry-run"),
        ("[main]\n", "[main]\n    paths: ['services/**', 'proto/**']\n"),
        ("[main]\n", "[main]\n    paths: ['**.go', 'services/**/*.md']\n"),
        ("[main]\n", "[main]\n    paths-ignore: ['docs/**', '*.md']\n"),
        ("  push:\n    branches: [main]\n", "  workflow_dispatch:\n"),
        ("scope=${{ matrix.cache_scope }},mode", "mode=max,scope=${{ matrix.service }}-x,mode"),
        ("cache-from: type=gha,scope=${{ matrix.cache_scope }}", "cache-from: type=registry,ref=ghcr.io/o/cache"),
        ("orbit-release plan --format github", "orbit-release -C clone plan --format github"),
        ("orbit-release plan --format github", "echo by hand orbit-release bump api; orbit-release plan"),
        ("orbit-release plan --format github", "orbit-release bump --help"),
        ("      - run: |\n", "      - run: |\n          # later: orbit-release build\n"),
    ],
)  # fmt: skip
def test_what_is_right_stays_quiet(old: str, new: str) -> None:
    assert old in WORKFLOW
    assert found(WORKFLOW.replace(old, new, 1)) == []


def test_another_registry_needs_no_packages() -> None:
    assert found(WORKFLOW.replace("      packages: read\n", ""), host="registry.example.com") == []


@pytest.mark.parametrize(
    "text",
    [
        "jobs: {a: {steps: [{run: make}]}}\n",
        "jobs: orbit-release plan\n",
        "# orbit-release plan\n",
    ],
)
def test_without_a_call_there_is_a_note(text: str) -> None:
    assert found(text) == ["no workflow below .github/workflows calls orbit-release: releases are made by hand"]


def test_what_is_not_yaml_is_told() -> None:
    told, _ = found("orbit-release: [\n")
    assert told.startswith(f"{PATH} is not YAML")


def test_only_workflows_are_read() -> None:
    assert len(found(WORKFLOW.replace("fetch-depth: 0", ""), path=".github/workflows/README.md")) == 1


def test_our_own_workflows_are_quiet() -> None:
    root = Path(__file__).parents[2]
    paths = [str(path.relative_to(root)) for path in (root / ".github/workflows").iterdir()]
    tree = Tree(dict.fromkeys(paths), lambda path: (root / path).read_bytes())
    assert [_told(one) for one in check_workflows([service()], tree, lambda _: ["services/api/main.go"])] == []
