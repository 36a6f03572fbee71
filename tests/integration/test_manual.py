"""What the manual has its readers type and write, done in a clone like theirs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orbit_release import config
from tests.integration.argocd import ILL, Serve, build, synced
from tests.integration.monorepo import CONFIG, MANIFEST, Monorepo, git, pushed, run_in, sha
from tests.manual import DOCS, README, Shown, Step, blocks, sessions, steps
from tests.servers.argocd_life import Stage

IMAGES = "ghcr.io/acme/shop"
FILES = {
    "web/Dockerfile": "FROM scratch\nCOPY . /\n",
    "web/index.html": "hello\n",
    "services/api/Dockerfile": "FROM scratch\nCOPY services/api /api\nCOPY proto /proto\n",
    "services/api/main.go": "package main\n",
    "proto/api.proto": "syntax\n",
    **{
        f"k8s/{name}.yaml": MANIFEST.format(name=name, host=IMAGES, tag="latest").replace("/orbit/", "/")
        for name in ("web", "api")
    },
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone of a small monorepo that nobody has released with this tool yet."""
    source, folder = tmp_path / "source", tmp_path / "clone"
    for path, content in FILES.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(content)
    git(source, "init", "-q", "-b", "main")
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "first")
    git(tmp_path, "clone", "-q", str(source), str(folder))
    return folder


def test_the_first_commands_print_what_the_readme_shows(clone: Path) -> None:
    start, _ = sessions(README)
    shown = Shown()
    for step in start:
        program, *arguments = shlex.split(step.command)
        ran = run_in(clone, *arguments)
        assert (program, ran.code) == ("orbit-release", "check" in arguments), ran.err
        assert shown.differences(step, ran.out.splitlines(), ran.err.splitlines()) == []


def test_the_configuration_of_the_readme_is_what_init_wrote(clone: Path) -> None:
    assert run_in(clone, "init").code == 0
    (block,) = (block for block in blocks(README, "yaml") if "services:" in block)
    written = (clone / "orbit-release.yaml").read_bytes()
    assert config.load(block.encode(), "README.md") == config.load(written, "orbit-release.yaml")


def adopt(clone: Path) -> None:
    """Do what the README asks for: `init`, and the name of the tool's repository instead of the placeholder."""
    run_in(clone, "init")
    workflow = clone / ".github/workflows/build-and-push.yml"
    workflow.write_text(re.sub("OWNER/(.*)@main.*", rf"acme/\1@{'0' * 40}", workflow.read_text()))


def test_what_is_committed_then_passes_check(clone: Path) -> None:
    adopt(clone)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Release with orbit-release")
    assert run_in(clone, "check").code == 0
    assert run_in(clone, "plan", "--format", "names").out.split() == ["api", "web"]


def test_the_commands_of_check_run(clone: Path) -> None:
    adopt(clone)
    (block,) = blocks(DOCS / "check.md", "sh")
    calls = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert [(call, run_in(clone, *call[1:]).code) for call in calls] == [(call, 0) for call in calls]


def test_the_comment_of_check_lets_its_finding_pass(clone: Path) -> None:
    run_in(clone, "init")
    dockerfile = clone / "services/api/Dockerfile"
    (comment,) = blocks(DOCS / "check.md", "dockerfile")
    (clone / "testdata").mkdir()
    (clone / "testdata/a").write_text("a")
    before, copy = dockerfile.read_text(), comment.splitlines()[1]
    dockerfile.write_text(f"{before}{copy}\n")
    assert "inputs-copied: " in run_in(clone, "check", "--rule", "inputs").out
    dockerfile.write_text(before + comment)
    assert run_in(clone, "check", "--rule", "inputs").code == 0


def test_the_hold_of_the_model_holds(clone: Path) -> None:
    run_in(clone, "init")
    (line,) = (block.strip() for block in blocks(DOCS / "model.md", "yaml"))
    manifest = clone / "k8s/api.yaml"
    image = line.replace("ghcr.io/drewpayment/orbit/bifrost", f"{IMAGES}/api")
    manifest.write_text(re.sub("image: .*", image, manifest.read_text()))
    git(clone, "commit", "-qam", "held by hand")
    git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert f"held: {line.partition('# held: ')[2]}" in run_in(clone, "plan").out


def of(service: str, step: Step) -> Step:
    """Return a step about a service, where the manual has bifrost."""
    return Step(
        step.command.replace("bifrost", service), tuple(line.replace("bifrost", service) for line in step.lines)
    )


def test_what_argo_cd_runs_is_shown_like_that(monorepo: Monorepo, serve: Serve) -> None:
    settings = CONFIG.format(host=monorepo.host) + "argocd: {application: orbit, project: applications}\n"
    commits = [monorepo.push(change, {"orbit-release.yaml": settings, "proto/api.proto": change}) for change in "ab"]
    for commit in commits:
        pushed(monorepo, "api", commit)
        monorepo.deploy(api=sha(commit))
    tip, both = (
        monorepo.git("rev-parse", "HEAD"),
        tuple(f"{monorepo.host}/orbit/api:{sha(commit)}" for commit in commits),
    )
    stage = Stage(tip, operated=tip, images=both, health={"Deployment/api": ("Progressing", "1 of 2 updated")})
    ((step,),) = sessions(DOCS / "argo-cd.md")
    ran = monorepo.run("status", "api", "--live", **serve(stage))
    assert Shown().differences(of("api", step), ran.out.splitlines(), ran.err.splitlines()) == []


def test_a_release_that_does_not_run_is_told_like_that(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    stage = synced(world, phase="Failed", health={"Deployment/api": ILL}, since=25)
    lines = [block.splitlines() for block in blocks(DOCS / "argo-cd.md", "console") if block.startswith("error: ")]
    ran = world.repo.run("wait", **serve(stage))
    assert ran.code == 10
    assert Shown().differences(of("api", Step("wait", tuple(lines[0]))), [], ran.err.splitlines()) == []


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("published 6adf3d6 on main", "pushed 1111111 on main"),
        ("api  sha-6adf3d6", "api  sha-111111"),
        ("nothing found\n…", "something found"),
    ],
)
def test_a_session_that_is_not_so_is_found(shown: str, printed: str) -> None:
    (step,) = steps(f"$ orbit-release plan\n{shown}\n")
    assert Shown().differences(step, printed.splitlines(), []) != []


def test_lines_that_are_left_out_without_a_word_are_found() -> None:
    (step,) = steps("$ orbit-release plan\nSERVICE\nweb\n")
    assert Shown().differences(step, ["SERVICE", "api", "web"], []) == ["web", "not shown: api", "not shown: web"]
    assert Shown().differences(step, ["SERVICE", "web"], []) == []
