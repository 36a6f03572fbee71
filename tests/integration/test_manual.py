"""What the README has a new user type first, in a clone like theirs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from orbit_release import config
from tests.integration.monorepo import MANIFEST, git, run_in
from tests.manual import README, Shown, blocks, sessions, steps

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
        assert (program, ran.code) == ("orbit-release", 0), ran.err
        assert shown.differences(step, ran.out.splitlines(), ran.err.splitlines()) == []


def test_the_configuration_of_the_readme_is_what_init_wrote(clone: Path) -> None:
    assert run_in(clone, "init").code == 0
    (block,) = (block for block in blocks(README, "yaml") if "services:" in block)
    written = (clone / "orbit-release.yaml").read_bytes()
    assert config.load(block.encode(), "README.md") == config.load(written, "orbit-release.yaml")


def test_what_is_committed_then_passes_check(clone: Path) -> None:
    run_in(clone, "init")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Release with orbit-release")
    assert run_in(clone, "check").code == 0
    assert run_in(clone, "plan", "--format", "names").out.split() == ["api", "web"]


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
