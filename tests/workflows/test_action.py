"""The action that installs orbit-release: its own commands, run for real, and what its cache depends on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orbit_release import __version__
from tests.workflows.expressions import ROOT
from tests.workflows.lint import load
from tests.workflows.machine import Machine, Site
from tests.workflows.runner import Event, Run, Steps

FOLDER = Path(".github/actions/orbit-release")
SITE = Site("https://github.com", "https://api.github.com", "octo/orbit", "secret")
WORKFLOW = ".github/workflows/build-and-push.yml"  # the package carries it, for `init`
SOURCES = ("orbit_release", "pyproject.toml", "README.md", "LICENSE", str(FOLDER), WORKFLOW)
_PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a copy of what the action reads of the repository, where GitHub puts an action: out of the workspace."""
    target = tmp_path / "_actions"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def machine(folder: Path, source: Path) -> Machine:
    runner = Machine(folder, Run(SITE, folder, Event("0" * 40)).github, SITE)
    runner.variables["GITHUB_ACTION_PATH"] = str(source / FOLDER)
    return runner


def play(machine: Machine, *, until: str = "") -> Steps:
    """Play the action's steps, with `until` up to the one with that id."""
    steps = load(ROOT / FOLDER / "action.yml")["runs"]["steps"]
    ids = [step.get("id") for step in steps]
    contexts = {"github": machine.github, "runner": machine.runner, "inputs": {}}
    return Steps(machine, contexts).play(steps[: ids.index(until) + 1] if until else steps)


def key(folder: Path, source: Path) -> str:
    steps = play(machine(folder, source), until="cache")
    assert not steps.failed, steps.machine.log
    return str(steps.results["cache"]["outputs"]["cache-primary-key"])


def pins(path: Path) -> dict[str, str]:
    return dict(_PIN.findall(path.read_text(encoding="utf-8")))


def test_the_action_installs_this_very_version(tmp_path: Path, source: Path) -> None:
    """With pip, from the package index that scripts/setup used, or from what pip kept of it."""
    asked = [sys.executable, "-m", "pip", "cache", "dir"]
    cache = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    runner = machine(tmp_path / "machine", source)
    runner.variables |= {"PIP_CACHE_DIR": cache, "PIP_COMPILE": "0"}  # what is used is compiled as it is imported
    steps = play(runner)
    assert not steps.failed, runner.log
    runner.log = ""
    went_well, _ = runner.script("orbit-release --version; type -P orbit-release", "bash", {})
    assert went_well, runner.log
    assert runner.log.splitlines() == [f"orbit-release {__version__}", f"{runner.temp}/orbit-release/bin/orbit-release"]


def test_a_half_installation_that_was_left_behind_is_no_obstacle(tmp_path: Path, source: Path) -> None:
    """A step that fails before it installs anything has cleared the folder."""
    runner = machine(tmp_path / "machine", source)
    (runner.temp / "orbit-release/bin").mkdir(parents=True)
    (runner.temp / "orbit-release/bin/orbit-release").write_text("half", encoding="utf-8")
    (source / FOLDER / "requirements.txt").write_text("not a requirement", encoding="utf-8")
    assert play(runner).failed
    assert not (runner.temp / "orbit-release/bin").exists()


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path, source: Path) -> None:
    pins = source / FOLDER / "requirements.txt"
    text, count = re.subn(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", pins.read_text(encoding="utf-8"))
    assert count
    pins.write_text(text, encoding="utf-8")
    runner = machine(tmp_path / "machine", source)
    assert play(runner).failed
    assert "DO NOT MATCH THE HASHES" in runner.log


def test_the_pins_are_those_that_everything_is_tested_with() -> None:
    ours, tested = pins(ROOT / FOLDER / "requirements.txt"), pins(ROOT / "scripts/requirements.txt")
    assert ours
    assert {name: tested.get(name) for name in ours} == ours


def test_the_same_sources_have_the_same_key(tmp_path: Path, source: Path) -> None:
    before = key(tmp_path / "first", source)
    (source / "orbit_release/__pycache__").mkdir()
    (source / "orbit_release/__pycache__/cli.cpython-313.pyc").write_bytes(b"compiled")
    assert key(tmp_path / "second", source) == before


@pytest.mark.parametrize(
    "name",
    [
        "orbit_release/planning/actions.py",
        "pyproject.toml",
        str(FOLDER / "requirements.txt"),
        str(FOLDER / "action.yml"),
        WORKFLOW,
    ],
)
def test_another_source_has_another_key(tmp_path: Path, source: Path, name: str) -> None:
    before = key(tmp_path / "first", source)
    with (source / name).open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert key(tmp_path / "second", source) != before


def test_a_new_or_renamed_source_has_another_key(tmp_path: Path, source: Path) -> None:
    keys = {key(tmp_path / "first", source)}
    (source / "orbit_release/new.py").write_text("", encoding="utf-8")
    keys.add(key(tmp_path / "second", source))
    (source / "orbit_release/new.py").rename(source / "orbit_release/newer.py")
    keys.add(key(tmp_path / "third", source))
    assert len(keys) == 3


def test_the_key_names_the_system_and_the_python_that_the_installation_is_for(tmp_path: Path, source: Path) -> None:
    name, system, machine_kind, python, digest = key(tmp_path / "machine", source).rsplit("-", 4)
    version = ".".join(str(part) for part in sys.version_info[:3])
    assert (name, system, machine_kind, python) == ("orbit-release", "Linux", "X64", version)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
