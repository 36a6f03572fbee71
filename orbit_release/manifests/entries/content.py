"""What an entry holds: its images, what runs them, and what of it cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.errors import InvalidError
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.entries.plain import plain_images
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.names import Names
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.places import RenderedImage
from orbit_release.manifests.texts.written import Text
from orbit_release.manifests.texts.yaml_nodes import MappingNode, text
from orbit_release.manifests.workloads import AppliedWorkload, applied_workload

_GIVERS = ("HelmRelease", "Application", "ApplicationSet", "Kustomization")


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What an entry holds, and the files that it is made of; `faults` say, by file, why one cannot be read.

    `by_file` are its images, by the file of the object that runs them. `kustomizations` are those that it is made of,
    the outermost first. `refused` says, as `path:line: why`, for what kustomize refuses to render it. `is_stopped`:
    nothing of it can be rendered, because a kustomization, or a file of values, cannot be read. `unseen` says, as
    `path:line: what`, where more comes from that cannot be seen here.
    """

    files: frozenset[str]
    by_file: Mapping[str, tuple[RenderedImage, ...]] = field(default_factory=dict)
    workloads: tuple[AppliedWorkload, ...] = ()
    faults: Mapping[str, InvalidError] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    kustomizations: Collection[str] = ()
    is_stopped: bool = False
    unseen: tuple[str, ...] = ()

    @property
    def images(self) -> Iterator[RenderedImage]:
        for images in self.by_file.values():
            yield from images


def plain_content(path: str, files: Files, names: Names, specs: Sequence[FieldSpec]) -> Content:
    """Read a file that is applied as it stands; one that cannot name a service is never parsed."""
    data = files.read(path)
    if data is None or not (specs or names.may_be_in(data)):
        return Content(frozenset({path}))
    parsed = files.parsed(path)
    if parsed is None or parsed.fault:
        return Content(frozenset({path}), faults=files.faults(path))
    images = [RenderedImage(value, path) for value in plain_images(parsed, specs)]
    given = (value for obj in parsed.objects for value in given_images(obj, parsed.text, files))
    images += [RenderedImage(value, path) for value in given]
    workloads = tuple(workload for obj in parsed.objects if (workload := applied_workload(obj)))
    return Content(frozenset({path}), {path: tuple(images)}, workloads)


def given_images(obj: MappingNode, written: Text, files: Files) -> Iterator[ImageValue]:
    """Yield the images that an object gives to a chart, or sets on a kustomization; few kinds do."""
    if text(obj, "kind") in _GIVERS:
        from orbit_release.manifests.helm.charts import given_images  # noqa: PLC0415

        yield from given_images(obj, written, files)
