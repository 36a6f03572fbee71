"""The objects that the entries apply, and the images that each is rendered with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.image import ImageReference
from orbit_release.manifests.deployed import Manifests
from orbit_release.manifests.entries.applied_files import entries_at
from orbit_release.manifests.entries.plain import object_images
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.placeholder import is_placeholder
from orbit_release.manifests.texts.yaml_nodes import MappingNode, is_text


@dataclass(frozen=True, slots=True)
class AppliedObject:
    """An object and its images; in `root` images and names may stand as a kustomization found them."""

    root: MappingNode
    images: tuple[ImageReference, ...]


def applied_objects(manifests: Manifests) -> Iterator[AppliedObject | str]:
    """Yield the objects below the configuration's paths, and the paths of the files that cannot be read."""
    for path in manifests.search.paths:
        entries = entries_at(path, manifests.files)
        reached: set[str] = set()
        for kustomization in entries.kustomizations:
            yield from _rendered(kustomization, manifests, reached)
        for other in () if entries.is_rooted else entries.others:
            if other not in reached:
                yield from _plain(other, manifests)


def _rendered(kustomization: str, manifests: Manifests, reached: set[str]) -> Iterator[AppliedObject | str]:
    from orbit_release.manifests.kustomize.layers import render  # noqa: PLC0415  (plain manifests need none of it)

    entry = render(kustomization, manifests.files, manifests.search.fields)
    reached |= entry.files
    yield from entry.faults or ()
    for obj in entry.objects:
        yield AppliedObject(obj.root, _references(value for _, value in obj.images))


def _plain(path: str, manifests: Manifests) -> Iterator[AppliedObject | str]:
    file = manifests.files.parsed(path)
    if file is None:
        return
    if file.fault:
        yield path
    for obj in file.objects:
        values = object_images(obj, file.text, manifests.search.fields)
        # Kubernetes refuses `image: 2`.
        texts = (value for value in values if all(is_text(at.scalar) for at in value.scalars))
        yield AppliedObject(obj, _references(texts))


def _references(values: Iterator[ImageValue]) -> tuple[ImageReference, ...]:
    """Return the images that can be asked for: of placeholders, and of what is not certain, `check` tells."""
    certain = (value for value in values if not value.unclear and not (value.tag and is_placeholder(value.tag)))
    return tuple(filter(None, (ImageReference.read(value.text) for value in certain)))
