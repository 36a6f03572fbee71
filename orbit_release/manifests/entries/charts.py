"""What the values files of a chart come to: one entry, whose `values.yaml` is the base of the others."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator

from orbit_release.errors import InvalidError
from orbit_release.manifests.entries.content import Content
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.charts import VALUES, file_images, layered_images, override_images
from orbit_release.manifests.helm.files import chart_of
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.places import RenderedImage


def charts_below(paths: Iterable[str], names: Collection[str]) -> list[list[str]]:
    """Return values files in groups: those of one chart, else those of one folder."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        chart = chart_of(path, names)
        groups.setdefault(posixpath.dirname(path) if chart is None else chart, []).append(path)
    return list(groups.values())


def chart_content(paths: list[str], files: Files) -> Content:
    """Read a group of values files; what lies over a base decides in its place."""
    base = next((path for path in paths if posixpath.basename(path) == VALUES), None)
    outer = [path for path in paths if path != base]
    leaves = {}
    for path in outer or paths:
        layers = [base, path] if base and path != base else [path]
        images = (RenderedImage(value, path) for value in layered_images(layers, [], files))
        leaves[path] = tuple(images)
    return Content(frozenset(paths), leaves, faults=_faults(paths, files))


def values_file_content(path: str, files: Files) -> Content:
    """Read a values file that the configuration names."""
    return _content(path, file_images(path, files), files)


def overrides_content(path: str, files: Files) -> Content:
    """Read a file of overrides of an Argo CD application."""
    return _content(path, override_images(path, files), files)


def _content(path: str, images: Iterator[ImageValue], files: Files) -> Content:
    leaves = {path: tuple(RenderedImage(value, path) for value in images)}
    return Content(frozenset({path}), leaves, faults=_faults([path], files))


def _faults(paths: Iterable[str], files: Files) -> dict[str, InvalidError]:
    read = ((path, files.parsed(path)) for path in paths)
    return {path: parsed.fault for path, parsed in read if parsed and parsed.fault}
