"""Which files below a path of the configuration are applied, and as what."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from dataclasses import dataclass

from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.files import CHART, is_chart_part
from orbit_release.manifests.objects import ENDINGS, is_below, is_kustomization
from orbit_release.manifests.texts.yaml_nodes import items, text

_INCLUDES = ("resources", "bases", "components")


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The entries below one path of the configuration, by their files.

    A kustomization that no other one there includes; what no kustomization reaches: plain manifests, and the values
    of charts. `is_rooted`: the path has a kustomization of its own, and what that does not reach is not applied.
    `is_file`: the path is a single file.
    """

    kustomizations: tuple[str, ...] = ()
    others: Collection[str] = ()
    is_rooted: bool = False
    is_file: bool = False


def entries_at(path: str, files: Files) -> Entries:
    """Return the entries of a folder, or of a single file."""
    if path in files.names:
        return Entries((path,)) if is_kustomization(path) else Entries((), (path,), is_file=True)
    names = [name for name in files.names if is_below(name, path)]
    kustomizations = [name for name in names if is_kustomization(name)]
    known = frozenset(names)
    parts = {name for name in names if is_chart_part(name, known)} if any(map(_is_chart, names)) else set()
    manifests = (name for name in names if name.endswith(ENDINGS) and not is_kustomization(name))
    others = dict.fromkeys(name for name in manifests if name not in parts)
    own = [name for name in kustomizations if (posixpath.dirname(name) or ".") == path]
    outermost = own or [name for name in _outermost(kustomizations, files) if name not in parts]
    return Entries(tuple(outermost), others.keys(), is_rooted=bool(own))


def _is_chart(name: str) -> bool:
    return posixpath.basename(name) == CHART


def is_structural(path: str) -> bool:
    """Whether a change of a file may change which entries there are."""
    return is_kustomization(path) or _is_chart(path)


def _outermost(kustomizations: Collection[str], files: Files) -> list[str]:
    """Return the kustomizations that no other one includes; a component is never applied by itself."""
    below = {inner for name in kustomizations for inner in _includes(name, files)}
    return [name for name in kustomizations if name not in below and not _is_component(name, files)]


def included(kustomization: str, files: Files) -> set[str]:
    """Return the kustomizations that one includes, at whatever depth, as far as they can be read."""
    seen: set[str] = set()
    open_ = _includes(kustomization, files)
    while open_:
        path = open_.pop()
        if path not in seen:
            seen.add(path)
            open_ += _includes(path, files)
    return seen


def _includes(kustomization: str, files: Files) -> list[str]:
    """Return the kustomizations that one includes by itself."""
    parsed = files.parsed(kustomization)
    roots = [document.root for document in parsed.documents] if parsed else []
    written = [text(item) for root in roots for key in _INCLUDES for item in items(root, key)]
    folder = posixpath.dirname(kustomization)
    paths = (posixpath.normpath(posixpath.join(folder, entry)) for entry in written if entry and "://" not in entry)
    folders = (path for path in paths if not path.endswith(ENDINGS) and not path.startswith(".."))
    return [path for inner in folders for path in files.kustomizations_in(inner)]


def _is_component(kustomization: str, files: Files) -> bool:
    parsed = files.parsed(kustomization)
    return parsed is not None and any(text(document.root, "kind") == "Component" for document in parsed.documents)
