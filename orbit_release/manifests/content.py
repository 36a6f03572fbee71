"""What an entry holds: its images, what runs them, and what of it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.errors import InvalidError
from orbit_release.manifests.files import Files
from orbit_release.manifests.names import Names
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.places import RenderedImage
from orbit_release.manifests.plain import plain_images
from orbit_release.manifests.workloads import AppliedWorkload, applied_workload


@dataclass(frozen=True, slots=True)
class Content:
    """What an entry holds, and the files that it is made of; `faults` say, by file, why one cannot be read.

    `leaves` are its images by the file of the object that runs them: those of a file that stays are the same tuple.
    `is_stopped`: nothing of it can be rendered, because a kustomization cannot be read.
    """

    files: frozenset[str]
    leaves: Mapping[str, tuple[RenderedImage, ...]] = field(default_factory=dict)
    workloads: tuple[AppliedWorkload, ...] = ()
    faults: Mapping[str, InvalidError] = field(default_factory=dict)
    is_stopped: bool = False

    @property
    def images(self) -> Iterator[RenderedImage]:
        for images in self.leaves.values():
            yield from images


def plain_content(path: str, files: Files, names: Names, specs: Sequence[FieldSpec]) -> Content:
    """Read a file that is applied as it stands; one that cannot name a service is never parsed."""
    data = files.read(path)
    if data is None or not (specs or names.may_be_in(data)):
        return Content(frozenset({path}))
    parsed = files.parsed(path)
    if parsed is None or parsed.fault:
        return Content(frozenset({path}), faults={path: parsed.fault} if parsed and parsed.fault else {})
    images = tuple(RenderedImage(value, path) for value in plain_images(parsed, specs))
    workloads = tuple(workload for obj in parsed.objects if (workload := applied_workload(obj)))
    return Content(frozenset({path}), {path: images}, workloads)


def kustomized(path: str, files: Files, specs: Sequence[FieldSpec]) -> Content:
    """Render a kustomization, as far as images are concerned."""
    from orbit_release.manifests.kustomize.layers import render  # noqa: PLC0415  (plain manifests need none of it)

    entry = render(path, files, specs)
    leaves: dict[str, list[RenderedImage]] = {}
    for obj in entry.objects:
        leaves.setdefault(obj.origin[0], []).extend(RenderedImage(value, obj.origin[0]) for _, value in obj.images)
    return Content(entry.files, {path: tuple(images) for path, images in leaves.items()}, (), entry.faults)
