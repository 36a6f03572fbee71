"""The main job needs none of the examiners: with `check`, `doctor`, `init`, `report` and `demo` away it still runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.argocd import Serve, build, synced
from tests.integration.monorepo import Monorepo, Ran, environment, git, sha
from tests.unit.test_layering import EXAMINERS

# Python asks these finders first; what one of them refuses cannot be imported.
_WITHOUT_EXAMINERS = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith({tuple(f"orbit_release.{name}" for name in sorted(EXAMINERS))!r}):
            raise ImportError(name + " is not there")
sys.meta_path.insert(0, Refuse())
from orbit_release.cli.entry import main
main()
"""


def run(folder: Path, *arguments: str, **variables: str) -> Ran:
    command = [sys.executable, "-c", _WITHOUT_EXAMINERS, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_plan_build_bump_and_rollback_run_without_them(monorepo: Monorepo) -> None:
    monorepo.deploy(web="sha-0000000")
    first = monorepo.push("one", {"web/a": "1"})
    second = monorepo.push("two", {"web/a": "2"})
    planned = run(monorepo.clone, "plan", "--registry", "--format", "names", "web")
    built = [run(monorepo.clone, "build", "web", "--head", commit) for commit in (first, second)]
    bumped = [run(monorepo.clone, "bump", "web", sha(commit), "--yes") for commit in (first, second)]
    assert (planned.code, planned.out.split()) == (0, ["web"]), planned.err
    assert [ran.code for ran in (*built, *bumped)] == [0, 0, 0, 0], [ran.err for ran in (*built, *bumped)]
    assert monorepo.deployed()["web"] == sha(second)
    back = run(monorepo.clone, "rollback", "web", "--yes")
    assert (back.code, monorepo.deployed()["web"]) == (0, sha(first)), back.err
    released = run(monorepo.clone, "bump", "--built")
    assert released.code in (0, 5), released.err


def test_wait_runs_without_them(tmp_path: Path, serve: Serve) -> None:
    world = build(tmp_path)
    ran = run(world.repo.clone, "wait", **serve(lambda: synced(world)))
    assert (ran.code, git(world.repo.origin, "rev-parse", "main")[:7] in ran.out + ran.err) == (0, True), ran.err


@pytest.mark.parametrize("command", sorted({"check", "doctor", "init"}))
def test_an_examiner_that_is_away_is_missed(monorepo: Monorepo, command: str) -> None:
    ran = run(monorepo.clone, command)
    assert (ran.code, "is not there" in ran.err) == (70, True), ran.err
