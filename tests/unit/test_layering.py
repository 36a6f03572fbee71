"""The rooms of the package, stated as data and enforced on every module.

Which room may import which, which modules may have effects, and which commands run without the examiners. What is
imported for type checking only counts as well, except where `TYPING` allows it.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import orbit_release

PACKAGE = Path(orbit_release.__file__).parent

# Which rooms a room may import, itself apart. A room is a folder of the package, or a module that stands alone.
WORDS = {"errors", "text", "image", "braces", "globs", "service", "remote_address", "tag_scheme"}
DECISIONS = {"manifests", "planning", "releases"}
SYSTEMS = {"git", "registry", "github", "argocd", "builders", "doppler"}  # none of them imports another
ENGINE = {*WORDS, *DECISIONS, *SYSTEMS, "config", "flows", "http", "output", "background"}
EXAMINERS = {"check", "doctor", "init", "report", "demo"}
ROOMS = {
    "__init__": set[str](),
    "__main__": {"cli"},
    "errors": set[str](),
    "text": set[str](),
    "remote_address": set[str](),
    "background": set[str](),
    "image": {"errors"},
    "braces": set[str](),
    "globs": {"errors", "braces"},
    "tag_scheme": {"errors", "image"},
    "service": {"errors", "image", "globs"},
    "http": {"errors", "text", "background"},
    "manifests": WORDS,
    "config": {*WORDS, "manifests"},
    "git": WORDS,
    "planning": {*WORDS, "manifests", "git"},
    "releases": {*WORDS, "manifests", "git"},
    "registry": {*WORDS, "http"},
    "github": {*WORDS, "http", "releases"},
    "argocd": {*WORDS, "http", "manifests"},
    "builders": WORDS,
    "doppler": {*WORDS, "http"},
    "flows": {*WORDS, *DECISIONS, *SYSTEMS, "config", "background"},
    "output": {*WORDS, *DECISIONS, "argocd"},
    "check": ENGINE,
    "doctor": ENGINE,
    "init": {*ENGINE, "check"},
    "report": ENGINE,
    "demo": ENGINE,
    "cli": {*ENGINE, *EXAMINERS, "__init__"},
}
# Of a room that decides as well as asks, the modules that other rooms may import: they are pure.
PURE_OF = {"planning": {"git.graph"}, "releases": {"git.graph"}}
# What a room may name in annotations only: `output` prints what the flows return.
TYPING = {"output": {"flows"}}
TYPE_CHECKING = "TYPE_CHECKING"

# Outside packages that only these rooms and modules may import.
ONLY_IN = {
    "click": {"cli", "output", "check.show_findings", "demo.show_walk", "doctor.show_checklist"},
    "rich": {"output"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "git": {"git.push"},
    "github": {"github"},
    "docker": {"builders.engine"},
    "requests": {"http", "builders.engine", "github.client"},
    "urllib3": {"http", "builders.engine"},
    "yaml": {"manifests"},
    "ruamel": {"manifests.texts.proof"},
}
# Modules of Python that look at the world or change it. Who decides needs none of them.
EFFECTS = {"os", "pathlib", "subprocess", "socket", "ssl", "time", "random", "io", "tempfile", "shutil", "threading"}
EFFECTS |= {"sys", "datetime", "secrets", "http", "asyncio", "signal", "glob", "concurrent", "importlib"}
# The modules that may have effects, and which; `cli` may have all.
MAY = {
    "argocd.client": {"os"},
    "background": {"concurrent", "threading"},
    "builders.buildx": {"os", "pathlib", "signal", "subprocess", "tempfile", "threading"},
    "builders.choose": {"random", "time"},
    "builders.context": {"io", "os", "pathlib"},
    "builders.engine": {"tempfile", "threading"},
    "builders.request": {"pathlib"},  # for `Path` as a type
    "git.clone": {"subprocess"},  # for `Popen` as a type
    "git.object_reader": {"subprocess"},  # likewise
    "git.private_index": {"tempfile"},
    "git.process": {"os", "subprocess"},
    "github.client": {"secrets", "time"},
    "http": {"http", "io", "socket", "time"},
    "registry.retries": {"http", "threading"},  # http: for the names of its statuses
    "registry.client": {"http", "pathlib", "random", "time"},
    "registry.credentials": {"pathlib", "subprocess"},
    "registry.authentication": {"http", "pathlib", "threading"},
    "flows.build": {"concurrent", "pathlib", "tempfile"},
    "flows.publish_until_landed": {"random", "time"},  # the pause between two attempts
    "flows.rollback": {"time"},  # to write a time in words
    "flows.side_by_side": {"concurrent"},
    "flows.wait": {"concurrent"},
    "output.github_actions": {"secrets"},
    "output.builds": {"threading"},
    "output.history": {"time"},  # to write a time in words
    "check.kustomize": {"concurrent", "os", "shutil", "subprocess"},
    "check.working_tree": {"os"},
    "demo.sandbox": {"os", "pathlib", "subprocess", "sys"},
    "doctor.endpoint": {"socket", "ssl"},
    "doctor.git_remote": {"os", "signal", "subprocess"},
    "doctor.run_checks": {"concurrent"},
    "doctor.show_checklist": {"sys"},
    "init.new_files": {"os"},
    "report.page": {"importlib"},
    "report.time_words": {"datetime"},
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}

MOST_MODULES = 15  # of a room, without the folders in it
MAY_BE_LARGER = {"cli", "flows"}


def faults(package: Path) -> list[str]:
    """Return every breach of the rules as `module: what`, for all modules of a package folder."""
    files = sorted(package.rglob("*.py"))
    assert len(files) > len(ROOMS)
    names = [".".join(file.relative_to(package).with_suffix("").parts) for file in files]
    return [fault for name, file in zip(names, files, strict=True) for fault in breaches(name, file.read_text())]


def breaches(name: str, source: str) -> list[str]:
    module = name.removesuffix(".__init__")
    tree = ast.parse(source)
    return [f"{module}: {what}" for what in (*import_faults(module, tree), *environment_faults(module, tree))]


def import_faults(module: str, tree: ast.Module) -> Iterator[str]:
    blocks = [
        block for block in ast.walk(tree) if isinstance(block, ast.If) and ast.unparse(block.test) == TYPE_CHECKING
    ]
    typing_only = {id(node) for block in blocks for line in block.body for node in ast.walk(line)}
    for node in ast.walk(tree):
        for name in imported(module, node):
            head, _, rest = name.partition(".")
            if head == "orbit_release":
                yield from own_faults(module, rest or "__init__", typing=id(node) in typing_only)
            else:
                yield from foreign_faults(module, head)


def imported(module: str, node: ast.AST) -> list[str]:
    """Return the full names that a statement imports, `from package import module` included."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = ".".join([*("orbit_release." + module).split(".")[: -node.level], node.module or ""] if node.level else [])
    source = base.rstrip(".") or node.module or ""
    folder = PACKAGE.parent.joinpath(*source.split("."))
    return [f"{source}.{alias.name}" if folder.is_dir() else source for alias in node.names]


def own_faults(module: str, other: str, *, typing: bool) -> Iterator[str]:
    room, target = module.partition(".")[0], other.partition(".")[0]
    if target not in ROOMS:  # a name of the package's own `__init__`, like its version
        target = "__init__"
    allowed = {room} | ROOMS[room] | (TYPING.get(room, set()) if typing else set())
    if target not in allowed:
        yield f"{room} may not import {target} ({other})"
    elif target == "git" and room in PURE_OF and not other.startswith(tuple(PURE_OF[room])):
        yield f"{room} may not import {other}, which has effects"


def foreign_faults(module: str, name: str) -> Iterator[str]:
    owners = ONLY_IN.get(name)
    if owners and not any(f"{module}.".startswith(f"{owner}.") for owner in owners):
        yield f"{name} belongs in {', '.join(sorted(owners))}"
    if name in EFFECTS - MAY.get(module, set()) and module.partition(".")[0] not in {"cli", "__main__"}:
        yield f"{module} may not import {name}"


def environment_faults(module: str, tree: ast.Module) -> Iterator[str]:
    if module.partition(".")[0] == "cli":
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) and node.module == "os" else []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            names.append(node.attr)
        yield from (f"os.{name} is for cli only" for name in names if name in ENVIRONMENT)


def test_the_package_keeps_its_rooms() -> None:
    assert faults(PACKAGE) == []


def test_every_module_with_effects_is_there() -> None:
    assert [name for name in MAY if not _file(name).exists()] == []


def test_no_room_is_too_large_to_look_around_in() -> None:
    rooms = [folder for folder in PACKAGE.rglob("*") if folder.is_dir() and folder.name not in MAY_BE_LARGER]
    sizes = {str(room.relative_to(PACKAGE)): sum(1 for _ in room.glob("[!_]*.py")) for room in rooms}
    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}


def test_a_request_to_build_uses_pathlib_for_an_annotation_only() -> None:
    tree = ast.parse(_file("builders.request").read_bytes())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {name for name in calls if name == "Path" or name.startswith(("Path.", "pathlib."))}


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("errors", "from orbit_release.image import Tag", "errors may not import image (image)"),
        ("planning.actions", "from orbit_release.git.clone import Clone", "planning may not import git.clone, which"),
        ("planning.actions", "from orbit_release import config", "planning may not import config (config)"),
        ("planning.actions", "from ..flows import plan", "planning may not import flows (flows.plan)"),
        ("planning.actions", "import orbit_release.cli", "planning may not import cli (cli)"),
        ("planning.actions", "import os.path", "planning.actions may not import os"),
        ("globs", "from pathlib import Path", "globs may not import pathlib"),
        ("builders.request", "import subprocess", "builders.request may not import subprocess"),
        ("planning.actions", "from time import monotonic", "planning.actions may not import time"),
        ("planning.actions", "def f():\n    import random", "planning.actions may not import random"),
        ("planning.actions", "import requests", "requests belongs in"),
        ("planning.actions", "import click", "click belongs in"),
        ("manifests.mark", "from orbit_release.releases.release import Release", "manifests may not import releases"),
        ("manifests.mark", "from orbit_release.check.tree import Tree", "manifests may not import check"),
        ("argocd.verdict", "import time", "argocd.verdict may not import time"),
        ("argocd.verdict", "from orbit_release.registry.client import Registry", "argocd may not import registry"),
        ("builders.buildx", "from orbit_release.registry.client import Registry", "builders may not import registry"),
        ("registry.client", "from orbit_release.git.clone import Clone", "registry may not import git (git.clone)"),
        ("registry.client", "from orbit_release import output", "registry may not import output (output)"),
        ("registry.client", "import docker", "docker belongs in builders.engine"),
        ("builders.buildx", "from git import Repo", "git belongs in git.push"),
        ("git.clone", "import github", "github belongs in github"),
        ("flows.plan", "import yaml", "yaml belongs in"),
        ("registry.client", "import os\nos.environ['A']", "os.environ is for cli only"),
        ("registry.client", "from os import getenv", "os.getenv is for cli only"),
        ("flows.plan", "import click", "click belongs in"),
        ("flows.plan", "from orbit_release.output import say", "flows may not import output (output"),
        ("flows.plan", "from orbit_release.check import tree", "flows may not import check (check.tree)"),
        ("flows.plan", "from orbit_release.cli.entry import main", "flows may not import cli (cli.entry)"),
        ("flows.publish", "import os\nos.environ['GITHUB_TOKEN']", "os.environ is for cli only"),
        ("flows.publish", "from github import Github", "github belongs in github"),
        ("config", "from orbit_release.flows.plan import plan", "config may not import flows (flows.plan)"),
        ("report.rows", "from orbit_release.check.tree import Tree", "report may not import check (check.tree)"),
        ("releases.timeline", "import jinja2", "jinja2 belongs in report"),
        ("output", "from jinja2 import Environment", "jinja2 belongs in report"),
        ("output", "from orbit_release.flows.plan import plan", "output may not import flows (flows.plan)"),
        ("output", "import os\nos.environ.get('HOME')", "os.environ is for cli only"),
        ("output", "from orbit_release.config import Config", "output may not import config (config)"),
        ("output", "from orbit_release.doctor.checklist import Line", "output may not import doctor"),
    ],
)
def test_a_breach_is_found(module: str, line: str, fault: str) -> None:
    found = breaches(module, f"{_file(module).read_text()}\n\n{line}\n")
    assert any(text.startswith(f"{module}: {fault}") for text in found)


def test_a_breach_planted_in_a_copy_of_the_package_is_found(tmp_path: Path) -> None:
    package = tmp_path / "orbit_release"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert faults(package) == []
    (package / "planning" / "new.py").write_text("from orbit_release.flows.plan import plan\n")
    assert faults(package) == ["planning.new: planning may not import flows (flows.plan)"]


def test_the_engine_imports_none_of_the_examiners() -> None:
    engine = [
        name
        for file in sorted(PACKAGE.rglob("*.py"))
        if (name := ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)).split(".")[1] in ENGINE
    ]
    program = "import sys; from importlib import import_module\n"
    program += f"for name in {engine!r}: import_module(name)\n"
    program += f"print([name for name in sys.modules if name.split('.')[1:2] in {[[name] for name in EXAMINERS]!r}])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
