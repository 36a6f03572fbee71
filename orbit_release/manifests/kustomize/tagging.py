"""Apply entries of `images:` to the objects of a layer."""

from __future__ import annotations

from collections.abc import Sequence

from orbit_release.manifests.kustomize.field_paths import at_spec
from orbit_release.manifests.kustomize.image_entries import ImageEntries, ImageEntry, is_container, is_volume
from orbit_release.manifests.kustomize.reading import Reading
from orbit_release.manifests.kustomize.resource import Pool, Resource


def apply_images(pool: Pool, entries: Sequence[ImageEntry], reading: Reading) -> None:
    """Apply entries one after another to every image that kustomize's transformer reaches."""
    if not entries:
        return
    known = [_known(entry, reading) for entry in entries]
    run = ImageEntries(known, reading.used)
    for resource in pool.resources:
        _apply(resource, run, pool, reading)


def _known(entry: ImageEntry, reading: Reading) -> ImageEntry:
    """Return the entry as it was read first: a layer may be there several times."""
    places = (entry.name, entry.new_name, entry.new_tag, entry.digest)
    return reading.entries.setdefault(tuple(id(place.scalar) if place else 0 for place in places), entry)


def _apply(resource: Resource, run: ImageEntries, pool: Pool, reading: Reading) -> None:
    images = resource.fields(reading.specs, pool.image_specs)
    if not images:
        return
    named = [spec for spec in (*pool.image_specs, *run.entries[0].specs) if spec.is_of(resource)]
    reached = {id(scalar) for spec in named for _, scalar in at_spec(resource.root, spec.path)}
    for image in images:
        value = resource.value(image)
        if image.scalar.value.endswith("\n"):  # a block: kustomize's expressions match no line break
            continue
        if is_container(image.path) or id(image.scalar) in reached:
            resource.values[id(image.scalar)] = run.applied(value)
        elif is_volume(image.path):
            resource.values[id(image.scalar)] = run.beyond(value)
