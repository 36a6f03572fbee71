"""The images that charts are given: in their values files, and by the objects that have a chart rendered."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce

from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.chart_parts import all_parts
from orbit_release.manifests.helm.files import VALUES, chart_of
from orbit_release.manifests.helm.leaves import Values
from orbit_release.manifests.helm.renderings import Rendering, rendering_of, renderings_of
from orbit_release.manifests.helm.values import images_in
from orbit_release.manifests.image_value import Form, ImageValue, Part
from orbit_release.manifests.texts.written import Text
from orbit_release.manifests.texts.yaml_nodes import MappingNode


def given_images(obj: MappingNode, text: Text, files: Files) -> Iterator[ImageValue]:
    """Yield the images that an object gives to a chart, or sets on a kustomization."""
    for _, value in images_by_folder(obj, text, files):
        yield value


def images_by_folder(obj: MappingNode, text: Text, files: Files) -> Iterator[tuple[str, ImageValue]]:
    """Yield the images that an object gives to what lies in a folder, with that folder."""
    for rendering in renderings_of(obj, text):
        for value in _rendering_images(rendering, files):
            yield posixpath.normpath(rendering.folder or "."), value


def override_images(path: str, files: Files) -> Iterator[ImageValue]:
    """Yield what a file `.argocd-source….yaml` sets, beside the files that it overrides.

    It is written as the source of an Application: https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/
    """
    for source in _read(path, files):
        yield from _rendering_images(replace(rendering_of(source), folder=posixpath.dirname(path)), files)


def _rendering_images(rendering: Rendering, files: Files) -> Iterator[ImageValue]:
    for override in rendering.overrides:
        yield replace(override.image, name=override.image.name or override.original)
    own = {id(leaf.at.scalar) for leaf in rendering.values.leaves.values()}
    paths = _value_paths(rendering, files)
    for value in layered_images(paths, [rendering.values], files, rendering.folder or None):
        if any(id(at.scalar) in own for at in value.deciders) or (not value.deciders and not paths):
            yield replace(value, unclear=(*value.unclear, *rendering.unclear))


def _value_paths(rendering: Rendering, files: Files) -> list[str]:
    """Return the values files of the chart that is rendered, as far as they are in this repository."""
    folder = rendering.folder
    named = [VALUES, *(written.value for written in rendering.value_files)]
    paths = (posixpath.normpath(posixpath.join(folder, name)) for name in named if "://" not in name)
    return [path for path in paths if not path.startswith("..") and files.read(path) is not None] if folder else []


def file_images(path: str, files: Files) -> Iterator[ImageValue]:
    """Yield the images in a values file, of which the chart's own `values.yaml` may say the names.

    One that only the chart's own values decide is unclear: they hold for whatever is laid over them.
    """
    chart = chart_of(path, files.names)
    base = posixpath.join(chart, VALUES) if chart is not None else None
    if base is None:
        folder = posixpath.dirname(path)
        base = posixpath.join(folder, VALUES)
    layers = [base, path] if base != path and files.read(base) is not None else [path]
    for value in layered_images(layers, [], files, chart):
        at = value.decider or next(iter(value.scalars), None)
        if at and at.path == path:
            yield value
        elif at and value.name:
            yield value.but_unclear(f"{at.where} decides, and other values are laid over it: set the tag in {path}")


def layered_images(
    paths: Iterable[str], outer: Sequence[Values], files: Files, chart: str | None = None
) -> Iterator[ImageValue]:
    """Yield the images of values files and of values laid over them, each layer over those before it.

    The innermost are the values of the parts of the chart in a folder, if one is named.
    """
    parts = _part_values(chart, files) if chart is not None else ()
    layers = [*parts, *(values for path in paths for values in _read(path, files)), *outer]
    values = reduce(lambda inner, over: over.over(inner), layers) if layers else Values()
    for _, image in images_in(values):
        if image.name:
            yield replace(image, tag_at=_bare(image.tag_at))


def _part_values(chart: str, files: Files) -> Iterator[Values]:
    for keys, folder in all_parts(chart, files):
        for values in _read(posixpath.join(folder, VALUES), files):
            yield reduce(Values.below, reversed(keys), values)


def _bare(part: Part | None) -> Part | None:
    return replace(part, form=Form.BARE_TAG) if part and part.form is Form.TAG else part


def _read(path: str, files: Files) -> list[Values]:
    parsed = files.parsed(path)
    return [Values.read(document.root, parsed.text) for document in parsed.documents] if parsed else []
