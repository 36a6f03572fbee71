"""`check` in real repositories: what it finds, in which form, and what lets a finding pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orbit_release.check.manifest_rules import PINNED_FIX
from orbit_release.check.working_tree import ignored as ignored_by_git
from orbit_release.git.clone import Clone
from tests.integration.monorepo import DOCKERFILES, FOLDER, Monorepo, environment, git, sha

WORKFLOW = """\
on: {push: {branches: [main], paths: ["web/**"]}}
jobs:
  release:
    permissions: {contents: write, packages: read}
    steps:
      - uses: actions/checkout@v5
        with: {fetch-depth: 0}
      - run: orbit-release bump --built
"""


@pytest.fixture
def repo(offline: Monorepo) -> Monorepo:
    """Return a monorepo in which nothing is to be found, but for a workflow, which it has none of."""
    commit = offline.push("sources", {"services/api/a": "1", "services/worker/a": "1", "web/a": "1"})
    offline.deploy(**dict.fromkeys(DOCKERFILES, sha(commit)))
    offline.git("fetch", "-q")
    return offline


def findings(repo: Monorepo, *arguments: str) -> list[dict[str, Any]]:
    ran = repo.run("check", "--format", "json", *arguments)
    found: list[dict[str, Any]] = json.loads(ran.out)["findings"]
    assert ran.code == bool(found), ran.err
    return found


def rules(repo: Monorepo, *arguments: str) -> list[str]:
    return [one["rule"] for one in findings(repo, *arguments)]


def write(repo: Monorepo, path: str, text: str) -> None:
    (repo.clone / path).parent.mkdir(parents=True, exist_ok=True)
    (repo.clone / path).write_text(text)


def test_a_sound_repository(repo: Monorepo) -> None:
    ran = repo.run("check")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines()[-1] == "nothing found"


def test_findings_of_one_kind_are_told_together(repo: Monorepo) -> None:
    repo.deploy(api="v1.2.3", web="v2")
    repo.git("pull", "-q", "origin", "main")
    ran = repo.run("check")
    scheme = "which is no tag of the scheme sha-{sha}"
    assert (ran.code, ran.out.splitlines()) == (
        1,
        [
            "pinned-tag: Automation leaves a tag alone that somebody chose, and nobody sees why.",
            f"  fix: {PINNED_FIX}",
            f"    {FOLDER}/api.yaml:11: api is at v1.2.3, {scheme}",
            f"    {FOLDER}/web.yaml:11: web is at v2, {scheme}",
        ],
    )
    assert ran.err.splitlines()[-1] == "2 findings in 2 files"
    assert len(findings(repo)) == 2


def test_the_summary_of_a_step_tells_them_together_as_well(repo: Monorepo, tmp_path: Path) -> None:
    write(repo, ".github/workflows/release.yml", WORKFLOW)
    summary = tmp_path / "summary"
    repo.run("check", "--format", "github", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    title, _, why, _, fix, _, place, *_ = summary.read_text().splitlines()
    assert title == "### Check: 1 finding in 1 file"
    assert why.startswith("**workflow-filter**: A push that only changes")
    assert (fix[:6], place[:42]) == ("Fix: <", "- `.github/workflows/release.yml:1` <code>")


def test_annotations_for_github(repo: Monorepo) -> None:
    write(repo, ".github/workflows/release.yml", WORKFLOW)
    line, *_ = repo.run("check", "--format", "github").out.splitlines()
    assert line.startswith("::error file=.github/workflows/release.yml,line=1,title=workflow-filter::`paths` hides")


def test_a_filter_may_hide_what_a_release_edits(repo: Monorepo) -> None:
    config = (repo.clone / "orbit-release.yaml").read_text().replace("web/**]", f"web/**, '{FOLDER}/**']")
    write(repo, "orbit-release.yaml", config)
    ignoring = WORKFLOW.replace('paths: ["web/**"]', f'paths-ignore: ["{FOLDER}/*.yaml"]')
    write(repo, ".github/workflows/release.yml", ignoring)
    assert rules(repo) == []
    write(repo, f"{FOLDER}/other.yaml", "a: 1\n")  # which no release edits
    assert rules(repo) == ["workflow-filter"]


def test_rules_and_groups_can_be_chosen(repo: Monorepo) -> None:
    write(repo, ".github/workflows/release.yml", WORKFLOW)
    repo.deploy(api="sha-0000000")
    assert sorted(set(rules(repo))) == ["tag-without-commit", "workflow-filter"]
    assert rules(repo, "--rule", "history") == ["tag-without-commit"]
    assert set(rules(repo, "--ignore", "tag-without-commit")) == {"workflow-filter"}
    assert rules(repo, "--rule", "workflow-filter", "--ignore", "workflow") == []


@pytest.mark.parametrize(
    ("option", "name", "meant"), [("--rule", "workflow-filtr", "workflow-filter"), ("--ignore", "input", "inputs")]
)
def test_a_rule_that_does_not_exist(repo: Monorepo, option: str, name: str, meant: str) -> None:
    ran = repo.run("check", option, name)
    assert (ran.code, f"did you mean '{meant}'?" in ran.err) == (2, True)


def test_a_configuration_that_lies_elsewhere(repo: Monorepo, tmp_path: Path) -> None:
    config = (repo.clone / "orbit-release.yaml").read_text().replace("web/**]", "web/**, nothing/**]")
    (tmp_path / "other.yaml").write_text(config)
    ran = repo.run("--config", str(tmp_path / "other.yaml"), "check", "--format", "json")
    (found,) = json.loads(ran.out)["findings"]
    assert (found["rule"], found["path"]) == ("inputs-dead-glob", "../other.yaml")


def test_a_bare_repository_has_no_working_tree(repo: Monorepo) -> None:
    config = str(repo.clone / "orbit-release.yaml")
    ran = repo.run("--config", config, "check", directory=repo.origin)
    assert (ran.code, "has no working tree" in ran.err) == (2, True)


def test_a_workflow_that_is_not_yaml(repo: Monorepo) -> None:
    write(repo, ".github/workflows/release.yml", "orbit-release: [")
    assert "workflow: .github/workflows/release.yml is not YAML" in repo.run("check").err


def test_a_comment_lets_a_finding_pass(repo: Monorepo) -> None:
    why = "# orbit-release: ignore[workflow-filter] the others are released by hand"
    write(repo, ".github/workflows/release.yml", WORKFLOW.replace("}}\n", f"}}}} {why}\n", 1))
    assert rules(repo) == []


def test_a_deployed_tag_that_is_not_merged(repo: Monorepo) -> None:
    repo.git("checkout", "-q", "-b", "side")
    aside = repo.commit("aside", {"services/api/b": "1"})
    repo.git("checkout", "-q", "main")
    repo.deploy(api=sha(aside))
    (found,) = findings(repo)
    assert (found["rule"], found["path"], found["line"]) == ("tag-not-merged", f"{FOLDER}/api.yaml", 11)


def test_a_shallow_clone_says_what_it_cannot_check(repo: Monorepo, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo.origin}", str(shallow))
    ran = repo.run("check", directory=shallow)
    assert (ran.code, "history: the clone is shallow" in ran.err) == (0, True)


def test_a_branch_that_was_never_fetched_is_asked_for_at_nobody(repo: Monorepo) -> None:
    repo.git("update-ref", "-d", "refs/remotes/origin/main")
    ran = repo.run("check")
    assert (ran.code, ran.out) == (0, "")
    assert "history: the deployed tags: this clone has no commit of origin's main" in ran.err
    assert "`git fetch origin main:refs/remotes/origin/main` brings it" in ran.err
    repo.git("fetch", "origin", "main:refs/remotes/origin/main")
    assert "history" not in repo.run("check").err


def test_what_a_partial_clone_lacks_is_asked_for_at_nobody(repo: Monorepo, tmp_path: Path) -> None:
    git(repo.origin, "config", "uploadpack.allowFilter", "true")
    git(repo.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{repo.origin}", str(partial))
    newer = repo.push("newer", {"web/b": "1"})
    (partial / ".git/refs/remotes/origin/main").write_text(f"{newer}\n")
    ran = repo.run("check", directory=partial)
    assert (ran.code, "has no commit of origin's main" in ran.err) == (0, True), ran.err
    lacks = git(partial, "cat-file", "--batch-check", "--batch-all-objects")
    assert newer not in lacks


def test_what_is_made_before_the_build_is_what_git_ignores(repo: Monorepo) -> None:
    write(repo, ".gitignore", "dist/\n*.jar\n/only\nsub/*\n!sub/keep\n")
    write(repo, "web/.gitignore", "made\n")
    write(repo, "web/real/x", "")
    (repo.clone / "made").symlink_to("web/real")
    (repo.clone / "web/made").symlink_to("real")
    repo.commit("one that is known", {"web/known.txt": ""})
    ignored = [
        *("dist", "dist/x", "a/dist", "a/dist/x/y", "x.jar", "a b/x.jar", "é.jar", "only", "sub/x", "web/made/x"),
        *("web/sub/dist", "line\nbreak.jar", "sub"),  # all that could be in the last one is ignored
    ]
    kept = ["a/only", "sub/keep", "made/x", "web", "web/known.txt", "web/real/x", ".", "distance"]
    with Clone(str(repo.clone), environment()) as clone:
        assert ignored_by_git(clone, [*ignored, *kept]) == {*ignored}
        assert ignored_by_git(clone, kept) == set()
        write(repo, "web/.gitignore", "made\nknown.txt\n")
        assert ignored_by_git(clone, ["web/known.txt"]) == {"web/known.txt"}  # although git knows it


def test_what_only_this_machine_ignores_is_not_made_before_the_build(repo: Monorepo, tmp_path: Path) -> None:
    (repo.clone / ".git/info").mkdir(exist_ok=True)
    (repo.clone / ".git/info/exclude").write_text("excluded\n")
    (tmp_path / "mine").write_text("mine\n")
    repo.git("config", "core.excludesFile", str(tmp_path / "mine"))
    with Clone(str(repo.clone), environment()) as clone:
        assert ignored_by_git(clone, ["mine", "excluded"]) == set()


def test_a_constant_number_of_git_processes(repo: Monorepo, tmp_path: Path) -> None:
    def processes() -> int:
        trace = tmp_path / "trace"
        trace.unlink(missing_ok=True)
        repo.run("check", GIT_TRACE2_EVENT=str(trace))
        return sum('"event":"start"' in line for line in trace.read_text().splitlines())

    few = processes()
    for number in range(20):
        write(repo, f"{FOLDER}/more/{number}.yaml", repo.at_origin(f"{FOLDER}/api.yaml"))
    assert processes() == few


@pytest.mark.parametrize("checked_out", [True, False])
def test_a_submodule_is_a_file(repo: Monorepo, tmp_path: Path, checked_out: bool) -> None:  # noqa: FBT001
    (tmp_path / "other").mkdir()
    other = Monorepo.create(tmp_path / "other", "127.0.0.1:9")
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.origin), "vendor/sub")
    config = (repo.clone / "orbit-release.yaml").read_text().replace("web/**]", "web/**, vendor/sub/**]")
    write(repo, "orbit-release.yaml", config.replace("context: web, ", ""))
    write(repo, "web/Dockerfile", "FROM scratch\nCOPY web/ /\nCOPY vendor/sub /s\n")
    if not checked_out:
        repo.git("submodule", "deinit", "-q", "-f", "vendor/sub")
    assert rules(repo) == []
