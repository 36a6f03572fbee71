"""What the values files of a chart come to: one entry, whose `values.yaml` is the base of the others."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from orbit_release.manifests.entries.content import Content
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.chart_parts import all_parts
from orbit_release.manifests.helm.charts import file_images, layered_images, override_images
from orbit_release.manifests.helm.files import VALUES, chart_of
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.places import RenderedImage


def charts_below(paths: Iterable[str], files: Files) -> list[list[str]]:
    """Return values files in groups: those of one chart, which is no part of another, else those of one folder."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for path in paths:
        chart = chart_of(path, files.names)
        groups.setdefault((posixpath.dirname(path), False) if chart is None else (chart, True), []).append(path)
    charts = [folder for folder, is_chart in groups if is_chart]
    parts = {folder for chart in charts for _, folder in all_parts(chart, files)}
    return [group for (folder, is_chart), group in groups.items() if not (is_chart and folder in parts)]


def chart_content(paths: list[str], files: Files) -> Content:
    """Read a group of values files; what lies over a base decides in its place."""
    chart = chart_of(paths[0], files.names)
    parts = [posixpath.join(folder, VALUES) for _, folder in all_parts(chart, files)] if chart is not None else []
    base = next((path for path in paths if posixpath.basename(path) == VALUES), None)
    outer = [path for path in paths if path != base]
    by_file = {}
    for path in outer or paths:
        layers = [base, path] if base and path != base else [path]
        images = (RenderedImage(value, path) for value in layered_images(layers, [], files, chart))
        by_file[path] = tuple(images)
    faults = files.faults(*paths, *parts)
    # What cannot be read may set the tag of an image that another file names.
    return Content(frozenset((*paths, *parts)), by_file, faults=faults, is_stopped=bool(faults))


def values_file_content(path: str, files: Files) -> Content:
    """Read a values file that the configuration names."""
    return _content(path, file_images(path, files), files)


def overrides_content(path: str, files: Files) -> Content:
    """Read a file of overrides of an Argo CD application."""
    return _content(path, override_images(path, files), files)


def _content(path: str, images: Iterator[ImageValue], files: Files) -> Content:
    by_file = {path: tuple(RenderedImage(value, path) for value in images)}
    return Content(frozenset({path}), by_file, faults=files.faults(path))
