"""A symbolic kustomize: an entry as it is rendered, as far as images go, and where each value is written.

Nothing is run and nothing is dumped. `kubectl kustomize` (5.5) is the oracle of its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orbit_release.errors import InvalidError
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.image_value import Form, ImageValue
from orbit_release.manifests.kustomize.accumulate import Accumulation
from orbit_release.manifests.kustomize.reading import HelmValues, Reading
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.texts.written import Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Path, Scalar
from orbit_release.manifests.workloads import is_idle

_LOCAL = "config.kubernetes.io/local-config"


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """An object as it is applied.

    `origin` is the file that it is written in and its number there: one object in two overlays has one origin.
    `images` are its fields that hold an image; `replaced` those that patches took away: marks beside them still count.
    The names and the images in `root` may be those of before.
    """

    kind: str
    name: str
    namespace: str
    origin: tuple[str, int]
    images: tuple[tuple[Path, ImageValue], ...]
    replaced: tuple[ImageValue, ...]
    is_idle: bool
    root: MappingNode
    written: Callable[[Scalar], Written]  # where a scalar of the tree is written


@dataclass(frozen=True, slots=True)
class RenderedEntry:
    """What a kustomization gives.

    - `unused`: the images of entries of `images:` that nothing matched
    - `files`: the files that were read; `includes`: the kustomizations that each kustomization includes
    - `unseen`: `path:line: what`, where objects come from that cannot be seen here
    - `faults`: why a file cannot be used, by its path; one of a kustomization (its patches are part of it) makes all
      images below it uncertain, one of another file concerns its objects alone
    - `values`: the values of Helm charts
    """

    objects: tuple[RenderedObject, ...]
    unused: tuple[ImageValue, ...]
    files: frozenset[str]
    includes: Mapping[str, tuple[str, ...]]
    unseen: tuple[str, ...]
    faults: Mapping[str, InvalidError]
    values: tuple[HelmValues, ...]


def render(path: str, files: Files, specs: Sequence[FieldSpec] = ()) -> RenderedEntry:
    """Render the kustomization file at a path; `specs` name fields of more kinds that hold images."""
    reading = Reading(files, specs)
    pool = Pool()
    try:
        pool = Accumulation(reading).layer(path)
    except InvalidError as error:
        reading.fault(path, error)
    return RenderedEntry(
        objects=tuple(_but_bare([*_rendered(pool, reading)])),
        unused=tuple(entry.unmatched for entry in reading.entries.values() if id(entry) not in reading.used),
        files=frozenset(reading.seen),
        includes={key: tuple(dict.fromkeys(paths)) for key, paths in reading.includes.items()},
        unseen=tuple(reading.unseen),
        faults=reading.faults,
        values=tuple(reading.charts.values()),
    )


def _rendered(pool: Pool, reading: Reading) -> Iterator[RenderedObject]:
    for resource in pool.resources:
        local = resource.all_labels("annotations").get(_LOCAL)
        if not resource.is_generated and (local is None or local == "false"):
            yield _object(resource, pool, reading)


def _but_bare(objects: Sequence[RenderedObject]) -> Iterator[RenderedObject]:
    """Yield objects; an image that must stay without a tag is uncertain.

    Where an object is there twice, a `newName: NAME:TAG` for one of the two would put its tag behind the other's.
    """
    values = [value for obj in objects for _, value in obj.images]
    named = [value for value in values if value.tag_at and value.tag_at.form is Form.REFERENCE and value.overridden]
    bare = {at: value.tag_at.at.where for value in named if value.tag_at for at in value.overridden}
    for obj in objects:
        images = tuple((path, _but_bare_value(value, bare)) for path, value in obj.images)
        yield replace(obj, images=images) if bare else obj


def _but_bare_value(value: ImageValue, bare: Mapping[Written, str]) -> ImageValue:
    where = None if value.tag or value.decider is None else bare.get(value.decider)
    if where is None:
        return value
    return value.but_unclear(f"{where}: newName holds a tag, and a release would add another one to {value.text}")


def _object(resource: Resource, pool: Pool, reading: Reading) -> RenderedObject:
    images = [(image.path, resource.final_value(image)) for image in resource.fields(reading.specs, pool.image_specs)]
    return RenderedObject(
        resource.kind,
        resource.name,
        resource.namespace,
        (resource.text.path, resource.number),
        tuple((path, _resolved(value, pool)) for path, value in images),
        tuple(resource.replaced),
        is_idle(resource.root),
        resource.root,
        resource.written,
    )


def _resolved(value: ImageValue, pool: Pool) -> ImageValue:
    """Mind the vars: `$(NAME)` is filled in last."""
    if pool.variables and "$(" in value.text:
        return value.but_unclear(f"{pool.variables[0]}: vars may write this image")
    return value
