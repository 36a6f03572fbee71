"""What a kustomization comes to: the images and the workloads of the objects that it renders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from orbit_release.errors import InvalidError
from orbit_release.manifests.entries.content import Content, given_images
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.charts import layered_images
from orbit_release.manifests.helm.leaves import Values
from orbit_release.manifests.image_value import ImageValue, Part
from orbit_release.manifests.kustomize.layers import RenderedEntry, RenderedObject, render
from orbit_release.manifests.kustomize.reading import HelmValues
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.objects import is_below, is_kustomization
from orbit_release.manifests.places import RenderedImage
from orbit_release.manifests.texts.written import Written
from orbit_release.manifests.texts.yaml_nodes import UnreadableError
from orbit_release.manifests.workloads import RUNNING, AppliedWorkload, workload_of


def kustomized(path: str, files: Files, specs: Sequence[FieldSpec]) -> Content:
    """Render the kustomization file at a path."""
    entry = render(path, files, specs)
    unreadable = {
        _file_of(why, path, entry): why for path, why in entry.faults.items() if isinstance(why, UnreadableError)
    }
    by_file: dict[str, list[RenderedImage]] = {path: []}
    for obj in entry.objects:
        workload = workload_of(obj.root)
        images = (RenderedImage(value, *obj.origin, workload) for value in _images(obj, files))
        by_file.setdefault(obj.origin[0], []).extend(images)
    by_file[path] += (RenderedImage(value, path) for chart in entry.values for value in _chart_images(chart, files))
    by_file[path] += [*_unused(path, entry, by_file)]
    return Content(
        entry.files | {path} | _below(unreadable, files),
        {origin: tuple(images) for origin, images in by_file.items()},
        tuple(filter(None, map(_workload, entry.objects))),
        unreadable,
        tuple(why.message for why in entry.faults.values() if not isinstance(why, UnreadableError)),
        dict.fromkeys((path, *entry.includes, *chain(*entry.includes.values()))),
        is_stopped=any(map(is_kustomization, unreadable)),
        unseen=entry.unseen,
    )


def _file_of(why: InvalidError, path: str, entry: RenderedEntry) -> str:
    """Return the file that cannot be read: a patch, say, of a kustomization that can."""
    return next((file for file in entry.files if why.message.startswith(f"{file}:")), path)


def _chart_images(chart: HelmValues, files: Files) -> Iterator[ImageValue]:
    inline = [Values.read(node, text) for text, node in chart.inline]
    return layered_images(chart.files, inline, files, chart.chart)


def _below(unreadable: Iterable[str], files: Files) -> set[str]:
    """Return the files beside and below kustomizations that cannot be read: any of them may be their part."""
    folders = [posixpath.dirname(path) for path in unreadable if is_kustomization(path)]
    return {name for folder in folders for name in files.names if is_below(name, folder)}


def _images(obj: RenderedObject, files: Files) -> Iterator[ImageValue]:
    """Yield an object's images; a mark beside what a patch took the place of counts as well."""
    for _, value in obj.images:
        over = (at for old in obj.replaced if old.name == value.name for at in old.scalars)
        yield replace(value, overridden=tuple(dict.fromkeys((*value.overridden, *over))))
    text = files.parsed(obj.origin[0])
    for value in given_images(obj.root, text.text, files) if text else ():
        yield _tied(value, obj)


def _tied(value: ImageValue, obj: RenderedObject) -> ImageValue:
    """Return an image whose values say where they are written: a patch may have brought them."""

    def at(written: Written) -> Written:
        return obj.written(written.scalar)

    def part(old: Part | None) -> Part | None:
        return replace(old, at=at(old.at)) if old else None

    return replace(
        value,
        tag_at=part(value.tag_at),
        digest_at=part(value.digest_at),
        beside=tuple(map(at, value.beside)),
        overridden=tuple(map(at, value.overridden)),
    )


def _unused(path: str, entry: RenderedEntry, by_file: Mapping[str, Sequence[RenderedImage]]) -> Iterator[RenderedImage]:
    """Yield the images of entries of `images:` that match nothing here, and that nothing here runs otherwise.

    A kustomization without any object is there for what others include; what is not seen here may have the image.
    """
    running = {image.value.name for images in by_file.values() for image in images}
    hidden = [*entry.unseen, *(why.message for why in entry.faults.values())]
    for value in entry.unused:
        if value.name not in running and value.decider:
            where = value.decider.where
            warning = f"{where}: whether {value.name} is there cannot be seen: {hidden[0]}" if hidden else ""
            idle = f"{where}: this entry of images: matches no image of {path}"
            is_idle = bool(entry.objects) and not hidden
            yield RenderedImage(value.but_unclear(idle) if is_idle else value, path, warning=warning, is_idle=is_idle)


def _workload(obj: RenderedObject) -> AppliedWorkload | None:
    images = tuple(value.text for path, value in obj.images if not RUNNING.isdisjoint(path))
    return AppliedWorkload(obj.kind, obj.name, images, obj.is_idle, obj.namespace) if images else None
