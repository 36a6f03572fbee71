"""What counts as an input, and whose commits are counted, in real repositories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.monorepo import FOLDER, Monorepo, sha


@pytest.fixture
def everything(offline: Monorepo) -> Monorepo:
    """Return a repository with a service made of all of it: what a release edits is selected by its globs."""
    text = (offline.clone / "orbit-release.yaml").read_text()
    offline.push("all", {"orbit-release.yaml": text.replace("[web/**]", '["**"]'), f"{FOLDER}/config.yaml": "a: 1\n"})
    return offline


def names(repo: Monorepo, *arguments: str) -> list[str]:
    ran = repo.run("plan", "--fetch", "--format", "names", *arguments)
    assert ran.code == 0, ran.err
    return ran.out.split()


def release(repo: Monorepo, service: str, commit: str) -> None:
    ran = repo.run("bump", service, sha(commit), "--no-verify")
    assert ran.code == 0, ran.err
    repo.git("pull", "-q", "origin", "main")


def test_a_release_is_no_change_of_inputs_and_every_other_manifest_is(everything: Monorepo) -> None:
    before = everything.git("rev-parse", "HEAD")
    release(everything, "web", before)
    assert "web" not in names(everything, "web")
    assert "web" not in names(everything, "web", "--base", before)
    everything.push("settings", {f"{FOLDER}/config.yaml": "a: 2\n"})
    assert names(everything, "web") == ["web"]
    assert names(everything, "web", "--base", before) == ["web"]


def test_only_commits_of_the_service_count(everything: Monorepo) -> None:
    release(everything, "api", everything.git("rev-parse", "HEAD"))
    for number in range(3):
        everything.push("elsewhere", {"web/x": str(number)})
    newest = everything.push("api", {"services/api/x": "1"})
    assert "1 commit behind" in everything.run("status", "api", "--fetch", "--offline").out
    release(everything, "api", newest)
    assert "(1 commit)" in everything.git("log", "-1", "--format=%b")
    assert json.loads(everything.run("history", "api", "--format", "json").out)["releases"][0]["commits"] == [
        {"commit": newest, "subject": "api"}
    ]
    ran = everything.run("rollback", "api", "--no-verify", "--dry-run")
    assert "takes 1 commit out" in ran.err


def test_manifests_at_the_root(offline: Monorepo, tmp_path: Path) -> None:
    text = (offline.clone / "orbit-release.yaml").read_text()
    offline.push("root", {"orbit-release.yaml": text.replace("manifests: deploy", "manifests: .")})
    for number in range(2):
        release(offline, "api", offline.push("api", {"services/api/x": str(number)}))
    assert offline.run("history", "api").out.count("sha-") == 2
    assert "current" in offline.run("status", "api", "--offline").out
    assert offline.run("report", "--offline", "-o", str(tmp_path / "page")).code == 0
    assert "takes 1 commit out" in offline.run("rollback", "api", "--no-verify", "-y").err


def test_a_glob_that_selects_nothing_is_a_warning(offline: Monorepo) -> None:
    globs = '[web/**, wbe/**, "**/*.none", "web/[ab]*", Makefile, proto, "!nothing"]'
    text = (offline.clone / "orbit-release.yaml").read_text()
    offline.push("globs", {"orbit-release.yaml": text.replace("[web/**]", globs), "web/big/b/a": "1"})
    ran = offline.run("plan", "--fetch", "--format", "names")
    head = offline.git("rev-parse", "HEAD")[:7]
    assert [line for line in ran.err.splitlines() if "selects no file" in line] == [
        f"warning: orbit-release.yaml: paths of web: wbe/** selects no file at {head}; did you mean web/**?",
        f"warning: orbit-release.yaml: paths of web: **/*.none selects no file at {head}",
        f"warning: orbit-release.yaml: paths of web: web/[ab]* selects no file at {head}",
        f"warning: orbit-release.yaml: paths of web: Makefile selects no file at {head}",
    ]
