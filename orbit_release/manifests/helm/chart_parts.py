"""The charts that a chart is made of: those in its `charts/`, and its dependencies in this repository."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.files import CHART
from orbit_release.manifests.texts.yaml_nodes import items, text

_HERE = "file://"
_MAX_DEPTH = 8


def parts_of(chart: str, files: Files) -> Iterator[tuple[str, str]]:
    """Yield the key of each part's values, and the part's folder, as far as it is in this repository.

    https://helm.sh/docs/topics/charts/#chart-dependencies: a dependency is called by its alias, if it has one.
    """
    known = set()
    parsed = files.parsed(posixpath.join(chart, CHART))
    for dependency in items(parsed.documents[0].root, "dependencies") if parsed and parsed.documents else ():
        name, at = text(dependency, "name"), text(dependency, "repository")
        folder = posixpath.join(chart, at.removeprefix(_HERE) if at.startswith(_HERE) else f"charts/{name}")
        folder = posixpath.normpath(folder)
        if name and files.read(posixpath.join(folder, CHART)) is not None:
            known.add(folder)
            yield text(dependency, "alias") or name, folder
    yield from ((key, folder) for key, folder in _inside(chart, files) if folder not in known)


def _inside(chart: str, files: Files) -> Iterator[tuple[str, str]]:
    """Yield the charts in a chart's `charts/`, by the names of their folders."""
    start = posixpath.join(chart, "charts/")
    for name in files.names:
        folder, _, last = name[len(start) :].partition("/")
        if name.startswith(start) and last == CHART:
            yield folder, start + folder


def all_parts(chart: str, files: Files, depth: int = 0) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the key path and the folder of each part at any depth, the inner ones first."""
    for key, folder in parts_of(chart, files) if depth < _MAX_DEPTH else ():
        for path, inner in all_parts(folder, files, depth + 1):
            yield (key, *path), inner
        yield (key,), folder
