"""init in real clones: what it writes, what it refuses, and that both files or neither are there afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import ruamel.yaml
from jsonschema import Draft202012Validator

from orbit_release import config
from orbit_release.config import FILE_NAME
from orbit_release.init.adopted_workflow import PATH as WORKFLOW
from tests.integration.monorepo import MANIFEST, Monorepo, Ran, environment, git

ROOT = Path(__file__).parents[2]
HOST = "ghcr.io/acme"
FILES = {
    "web/Dockerfile": "FROM scratch\nCOPY . /\n",
    "web/index.html": "hello",
    "services/api/Dockerfile": "FROM scratch\nCOPY services/api /api\nCOPY proto /proto\n",
    "services/api/main.go": "package main\n",
    "proto/api.proto": "syntax\n",
    **{f"k8s/{name}.yaml": MANIFEST.format(name=name, host=HOST, tag="latest") for name in ("web", "api")},
}


@pytest.fixture
def repo(offline: Monorepo) -> Monorepo:
    """Return a monorepo that is not released by this tool yet."""
    for name in offline.git("ls-files").splitlines():
        (offline.clone / name).unlink()
    offline.push("another monorepo", FILES)
    offline.git("remote", "set-head", "origin", "main")
    return offline


def changed(repo: Monorepo) -> list[str]:
    return git(repo.clone, "status", "--porcelain=v1", "-uall", strip=False).splitlines()


def refused(ran: Ran, code: int, message: str) -> None:
    assert ran.code == code, ran.err
    error, hint = ran.err.splitlines()[-2:]
    assert message in error
    assert hint.startswith("hint: ")


def test_it_writes_both_files_and_says_what_is_next(repo: Monorepo) -> None:
    ran = repo.run("init")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines() == [
        "2 services: api, web",
        f"wrote {FILE_NAME}",
        f"wrote {WORKFLOW}, with 1 choice to make: look for `# choose:`",
        "next: `orbit-release check` finds what would fail, `orbit-release plan` shows what would be released",
    ]
    assert changed(repo) == [f"?? {WORKFLOW}", f"?? {FILE_NAME}"]


def test_the_configuration_loads_and_names_what_is_there(repo: Monorepo) -> None:
    repo.run("init", directory=repo.clone / "services/api")
    found = config.load((repo.clone / FILE_NAME).read_bytes(), FILE_NAME)
    assert (found.branch, found.manifests) == ("main", ("k8s",))
    assert {str(one.repository): one.paths.globs for one in found.services} == {
        f"{HOST}/orbit/api": ("services/api/**", "proto/**"),
        f"{HOST}/orbit/web": ("web/**",),
    }


def test_an_editor_finds_nothing_wrong_with_it(repo: Monorepo) -> None:
    repo.run("init")
    schema = json.loads((ROOT / "orbit_release/configuration.schema.json").read_bytes())
    text = (repo.clone / FILE_NAME).read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={schema['$id']}"
    Draft202012Validator(schema).validate(ruamel.yaml.YAML(typ="safe", pure=True).load(text))


def test_what_it_wrote_passes_check_and_is_planned(repo: Monorepo) -> None:
    repo.run("init")
    repo.push("release with orbit-release", {})
    checked = repo.run("check", "--format", "json")
    found = json.loads(checked.out)
    assert {finding["rule"] for finding in found["findings"]} == {"workflow-placeholder"}  # which a person fills in
    assert found["notes"] == []
    assert repo.run("plan", "--format", "names").out.split() == ["api", "web"]


def test_a_second_time_it_is_refused(repo: Monorepo) -> None:
    repo.run("init")
    before = [(repo.clone / name).read_bytes() for name in (FILE_NAME, WORKFLOW)]
    refused(repo.run("init"), 6, f"{FILE_NAME} and {WORKFLOW} are there already")
    assert [(repo.clone / name).read_bytes() for name in (FILE_NAME, WORKFLOW)] == before


@pytest.mark.parametrize("name", [FILE_NAME, WORKFLOW])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_nothing_is_overwritten_and_then_nothing_is_written(repo: Monorepo, name: str, kind: str) -> None:
    there = repo.clone / name
    there.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        there.write_text("mine\n")
    else:
        there.symlink_to("nowhere")
    refused(repo.run("init"), 6, f"{name} is there already")
    assert changed(repo) == [f"?? {name}"]
    assert kind == "link" or there.read_text() == "mine\n"


def test_a_dry_run_prints_a_diff_that_git_applies_and_writes_nothing(repo: Monorepo) -> None:
    ran = repo.run("init", "--dry-run")
    assert (ran.code, changed(repo)) == (0, [])
    subprocess.run(["git", "apply"], cwd=repo.clone, input=ran.out, text=True, check=True, env=environment())
    applied = [(repo.clone / name).read_bytes() for name in (FILE_NAME, WORKFLOW)]
    shutil.rmtree(repo.clone / ".github")
    (repo.clone / FILE_NAME).unlink()
    repo.run("init")
    assert [(repo.clone / name).read_bytes() for name in (FILE_NAME, WORKFLOW)] == applied


def test_a_dry_run_ends_as_the_run_would(repo: Monorepo) -> None:
    (repo.clone / FILE_NAME).write_text("mine\n")
    ran = repo.run("init", "--dry-run")
    assert f"+++ b/{FILE_NAME}\n" in ran.out
    refused(ran, 6, "is there already")


def test_a_choice_is_a_comment_at_its_place(repo: Monorepo) -> None:
    repo.push(
        "more", {"k8s/lonely.yaml": MANIFEST.format(name="lonely", host=HOST, tag="v1"), "tools/Dockerfile": "FROM x\n"}
    )
    assert f"wrote {FILE_NAME}, with 2 choices to make" in repo.run("init").err
    lines = (repo.clone / FILE_NAME).read_text().splitlines()
    assert lines[-2:] == [
        f"  # choose: {HOST}/orbit/lonely is named by k8s/lonely.yaml, no Dockerfile is left that matches it",
        "  # choose: tools/Dockerfile matches no image of the manifests: add a service for it, or leave it out",
    ]


def test_without_a_dockerfile_nothing_is_written(repo: Monorepo) -> None:
    repo.push("none", {"web/Dockerfile": None, "services/api/Dockerfile": None})
    refused(repo.run("init"), 5, "no service was found")
    assert changed(repo) == []


def test_in_an_empty_repository_nothing_is_written(tmp_path: Path, repo: Monorepo) -> None:
    git(tmp_path, "init", "-q", "empty")
    refused(repo.run("init", directory=tmp_path / "empty"), 5, "no service was found")


def test_where_there_is_no_repository(repo: Monorepo, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    refused(repo.run("init", directory=tmp_path / "plain"), 5, "not a git repository")
    assert list((tmp_path / "plain").iterdir()) == []


def test_in_a_bare_repository(repo: Monorepo) -> None:
    ran = repo.run("init", directory=repo.origin)
    refused(ran, 2, "bare")
    assert not (repo.origin / FILE_NAME).exists()


def test_the_file_of_another_name_is_not_written(repo: Monorepo) -> None:
    refused(repo.run("--config", "other.yaml", "init"), 2, "init writes orbit-release.yaml")
    assert changed(repo) == []


@pytest.mark.parametrize("name", [".github", ".github/workflows"])
def test_if_one_cannot_be_written_the_other_is_not_there(repo: Monorepo, name: str) -> None:
    (repo.clone / name).parent.mkdir(exist_ok=True)
    (repo.clone / name).write_text("a file where a folder has to be\n")
    refused(repo.run("init"), 9, WORKFLOW.rpartition("/")[0] if name.endswith("workflows") else ".github")
    assert changed(repo) == [f"?? {name}"]


def test_a_folder_that_is_a_link_out_of_the_repository_is_not_followed(repo: Monorepo, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (repo.clone / ".github").symlink_to(tmp_path / "outside")
    refused(repo.run("init"), 6, f"{WORKFLOW} would lie outside of the repository")
    assert list((tmp_path / "outside").iterdir()) == []
    assert changed(repo) == ["?? .github"]


def test_a_folder_that_may_not_be_written(repo: Monorepo) -> None:
    (repo.clone / ".git/config").chmod(0o644)
    repo.clone.chmod(0o555)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-m", "orbit_release", "init"],
        cwd=repo.clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    repo.clone.chmod(0o755)
    refused(Ran(done.returncode, done.stdout, done.stderr), 9, "Permission denied")
    assert changed(repo) == []


def test_the_branch_is_the_one_that_the_remote_shows(repo: Monorepo, tmp_path: Path) -> None:
    repo.git("push", "-q", "origin", "HEAD:trunk")
    git(repo.origin, "symbolic-ref", "HEAD", "refs/heads/trunk")
    git(tmp_path, "clone", "-q", str(repo.origin), "fresh")
    assert repo.run("init", directory=tmp_path / "fresh").code == 0
    assert config.load((tmp_path / "fresh" / FILE_NAME).read_bytes(), FILE_NAME).branch == "trunk"
    assert 'branches: ["trunk"]' in (tmp_path / "fresh" / WORKFLOW).read_text()


def test_a_branch_that_the_clone_does_not_tell_is_a_choice(repo: Monorepo) -> None:
    repo.git("remote", "set-head", "origin", "--delete")
    assert f"wrote {FILE_NAME}, with 1 choice to make" in repo.run("init").err
    lines = (repo.clone / FILE_NAME).read_text().splitlines()
    told = "# choose: the branch to release from, for the clone does not tell; the workflow names it, too"
    assert lines[lines.index("branch: main") - 1] == told


def test_without_manifests_images_are_named_after_the_remote(repo: Monorepo) -> None:
    repo.git("rm", "-rq", "k8s")
    repo.git("remote", "set-url", "origin", "git@github.com:Acme/Shop.git")
    assert repo.run("init").code == 0
    found = config.load((repo.clone / FILE_NAME).read_bytes(), FILE_NAME)
    assert [str(one.repository) for one in found.services] == ["ghcr.io/acme/shop/api", "ghcr.io/acme/shop/web"]


def test_names_of_others_are_shown_and_never_obeyed(repo: Monorepo) -> None:
    odd = "a \u202e\x1b[31m"
    repo.push(
        "odd", {f"{odd}/Dockerfile": "FROM x\n", f"k8s/{odd}.yaml": FILES["k8s/api.yaml"].replace("/api:", "/odd:")}
    )
    for arguments in (("init", "--dry-run"), ("init",)):
        ran = repo.run(*arguments)
        assert ran.code == 0
        assert not {"\u202e", "\x1b"} & {*ran.out, *ran.err}


def test_the_wheel_carries_the_workflow_and_the_schema_of_this_repository(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        assert archive.read("orbit_release/build-and-push.yml") == (ROOT / WORKFLOW).read_bytes()
        name = "orbit_release/configuration.schema.json"
        assert archive.read(name) == (ROOT / name).read_bytes()
        archive.extractall(tmp_path / "installed")
    installed = "from orbit_release.cli.init import _workflow_template; print(_workflow_template(), end='')"
    command = [sys.executable, "-P", "-c", installed]
    paths = environment(PYTHONPATH=str(tmp_path / "installed"))
    done = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / WORKFLOW).read_text()
