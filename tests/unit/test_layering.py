"""The layers of the package, stated as data and enforced on every module.

Imports point one way: errors <- core <- adapters <- flows <- cli. What is imported for type checking only counts
as well, except where `TYPING` allows it.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import orbit_release

PACKAGE = Path(orbit_release.__file__).parent

# Which of the package's layers a layer may import, itself apart.
LAYERS = {
    "__init__": set[str](),
    "__main__": {"cli"},
    "errors": set[str](),
    "core": {"errors"},
    "config": {"errors", "core"},
    "workflow": {"errors", "core"},
    "output": {"errors", "core", "workflow"},
    "page": {"errors", "core"},
    "adapters": {"errors", "core"},
    "flows": {"errors", "core", "config", "adapters"},
    "cli": {"__init__", "errors", "core", "config", "output", "workflow", "page", "adapters", "flows"},
}
# What a layer may name in annotations only: `output` prints what the flows return.
TYPING = {"output": {"flows"}}
TYPE_CHECKING = "TYPE_CHECKING"

# Outside packages that only these modules, or what lies below them, may import.
ONLY_IN = {
    "click": {"cli", "output"},
    "rich": {"output"},
    "jinja2": {"page"},
    "markupsafe": {"page"},
    "git": {"adapters.git"},
    "github": {"adapters.github"},
    "docker": {"adapters.docker"},
    "requests": {"adapters"},
    "urllib3": {"adapters"},
}
# core decides, it does not look: no files, processes, network, clock or chance.
EFFECTS = {"os", "pathlib", "subprocess", "socket", "time", "random", "io", "tempfile", "shutil", "threading", "sys"}
EFFECTS |= {"datetime", "secrets", "http", "asyncio", "signal", "glob"} | set(ONLY_IN)
CORE_MAY = {("core.build", "pathlib")}  # for `Path` as a type
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def faults(package: Path) -> list[str]:
    """Return every breach of the rules as `module: what`, for all modules of a package folder."""
    files = sorted(package.rglob("*.py"))
    assert len(files) > len(LAYERS)
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
    return [f"{source}.{alias.name}" if source in PARENTS else source for alias in node.names]


# `from orbit_release.core import manifest` imports a module of the folder, and not a name of its `__init__`.
FOLDERS = ("core", "adapters", "adapters.git", "flows", "page", "cli")
PARENTS = {"orbit_release", *(f"orbit_release.{folder}" for folder in FOLDERS)}


def own_faults(module: str, other: str, *, typing: bool) -> Iterator[str]:
    layer, target = module.partition(".")[0], other.partition(".")[0]
    if target not in LAYERS:  # a name of the package's own `__init__`, like its version
        target = "__init__"
    allowed = {layer} | LAYERS[layer] | (TYPING.get(layer, set()) if typing else set())
    if target not in allowed:
        yield f"{layer} may not import {target} ({other})"
    if layer == target == "adapters" and system(module) != system(other):
        yield f"adapters may not import each other ({other})"


def system(adapter: str) -> str:
    """Return the outside system of an adapter's module: `adapters.git.clone` is a part of git's."""
    return adapter.split(".")[1]


def foreign_faults(module: str, name: str) -> Iterator[str]:
    owners = ONLY_IN.get(name)
    if owners and not any(f"{module}.".startswith(f"{owner}.") for owner in owners):
        yield f"{name} belongs in {', '.join(sorted(owners))}"
    if module.startswith("core") and name in EFFECTS and (module, name) not in CORE_MAY:
        yield f"core may not import {name}"


def environment_faults(module: str, tree: ast.Module) -> Iterator[str]:
    if module.partition(".")[0] == "cli":
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) and node.module == "os" else []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
            names.append(node.attr)
        yield from (f"os.{name} is for cli only" for name in names if name in ENVIRONMENT)


def test_the_package_keeps_its_layers() -> None:
    assert faults(PACKAGE) == []


def test_core_uses_pathlib_for_an_annotation_only() -> None:
    for module, _ in CORE_MAY:
        tree = ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_bytes())
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not {name for name in calls if name == "Path" or name.startswith(("Path.", "pathlib."))}


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("errors", "from orbit_release.core.image import Tag", "errors may not import core (core.image)"),
        ("core/plan", "from orbit_release.adapters.git.clone import Clone", "core may not import adapters"),
        ("core/plan", "from orbit_release import config", "core may not import config (config)"),
        ("core/plan", "from ..flows import plan", "core may not import flows (flows.plan)"),
        ("core/plan", "import orbit_release.cli", "core may not import cli (cli)"),
        ("core/plan", "import os.path", "core may not import os"),
        ("core/paths", "from pathlib import Path", "core may not import pathlib"),
        ("core/build", "import subprocess", "core may not import subprocess"),
        ("core/plan", "from time import monotonic", "core may not import time"),
        ("core/plan", "def f():\n    import random", "core may not import random"),
        ("core/plan", "import requests", "core may not import requests"),
        ("core/plan", "import click", "click belongs in cli, output"),
        ("adapters/buildx", "from orbit_release.adapters.registry import Registry", "adapters may not import each"),
        ("adapters/registry", "from orbit_release.adapters.git.clone import Clone", "adapters may not import each"),
        ("adapters/registry", "from . import docker", "adapters may not import each other (adapters.docker)"),
        ("adapters/registry", "from orbit_release import output", "adapters may not import output"),
        ("adapters/registry", "import docker", "docker belongs in adapters.docker"),
        ("adapters/buildx", "from git import Repo", "git belongs in adapters.git"),
        ("adapters/git/clone", "import github", "github belongs in adapters.github"),
        ("adapters/registry", "import os\nos.environ['A']", "os.environ is for cli only"),
        ("adapters/registry", "from os import getenv", "os.getenv is for cli only"),
        ("flows/plan", "import click", "click belongs in cli, output"),
        ("flows/plan", "from orbit_release.output import say", "flows may not import output"),
        ("flows/plan", "from orbit_release.cli.entry import main", "flows may not import cli"),
        ("flows/publish", "import os\nos.environ['GITHUB_TOKEN']", "os.environ is for cli only"),
        ("workflow", "from orbit_release.output import say", "workflow may not import output"),
        ("workflow", "import click", "click belongs in cli, output"),
        ("flows/publish", "from github import Github", "github belongs in adapters.github"),
        ("config", "from orbit_release.flows.plan import plan", "config may not import flows"),
        ("page/rows", "from orbit_release.output import say", "page may not import output"),
        ("page/rows", "from orbit_release.adapters.git.clone import Clone", "page may not import adapters"),
        ("core/figures", "import jinja2", "jinja2 belongs in page"),
        ("output", "from jinja2 import Environment", "jinja2 belongs in page"),
        ("output", "from orbit_release.flows.plan import plan", "output may not import flows"),
        ("output", "import os\nos.environ.get('HOME')", "os.environ is for cli only"),
        ("output", "from orbit_release.config import Config", "output may not import config"),
    ],
)
def test_a_breach_is_found(module: str, line: str, fault: str) -> None:
    file = PACKAGE / f"{module}.py"
    source = (file if file.exists() else PACKAGE / module / "__init__.py").read_text()
    name = module.replace("/", ".")
    found = breaches(name, f"{source}\n\n{line}\n")
    assert any(text.startswith(f"{name}: {fault}") for text in found)


def test_a_breach_planted_in_a_copy_of_the_package_is_found(tmp_path: Path) -> None:
    package = tmp_path / "orbit_release"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert faults(package) == []
    (package / "core" / "new.py").write_text("from orbit_release.adapters.git.clone import Clone\n")
    assert faults(package) == ["core.new: core may not import adapters (adapters.git.clone)"]
