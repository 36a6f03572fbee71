"""The workloads of a manifest, and which of their images run all the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.core.documents import CRON_JOB_POD, at, images, pod_place, read_documents
from orbit_release.core.paths import KUSTOMIZATIONS

if TYPE_CHECKING:
    from orbit_release.core.manifest import FoundImage
    from orbit_release.core.service import Service


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload; `is_idle`: it may be right without any pod.

    So it is with zero replicas, with a CronJob between two runs, and with a Job, whose pods go when they are done.
    """

    kind: str
    name: str
    images: tuple[str, ...]
    is_idle: bool


def workloads(manifests: Iterable[tuple[str, bytes]]) -> Iterator[Workload]:
    """Yield the workloads of manifests, each a path and its bytes; what is no YAML has none."""
    for document in (one for _, data in manifests for one in read_documents(data) or ()):
        if place := pod_place(document):
            kind, name = (str(at(document, *keys) or "") for keys in (("kind",), ("metadata", "name")))
            idle = place == CRON_JOB_POD or kind == "Job" or at(document, "spec", "replicas") == 0
            yield Workload(kind, name, tuple(images(at(document, *place))), is_idle=idle)


def running_images(found: Sequence[FoundImage], among: Sequence[Workload]) -> tuple[str, ...]:
    """Return the references of one repository that pods must run; `found` are those in the manifests.

    A kustomization's `images` stand in the place of what the containers say. What is not known to be idle runs.
    """
    renamed = [one for one in found if one.path.rpartition("/")[2] in KUSTOMIZATIONS]
    busy = {image for workload in among if not workload.is_idle for image in workload.images}
    idle = {image for workload in among if workload.is_idle for image in workload.images} - busy
    if renamed:
        name = str(renamed[0].reference.repository)
        known = any(is_of(image, name) for image in idle) and not any(is_of(image, name) for image in busy)
        return () if known else tuple(dict.fromkeys(str(one.reference) for one in renamed))
    return tuple(dict.fromkeys(text for one in found if (text := str(one.reference)) not in idle))


def owners(among: Iterable[Workload], services: Iterable[Service]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Return, by kind and name of a workload, the services that it runs images of; a patch may name it once more."""
    repositories = {one.name: str(one.repository) for one in services}
    found: dict[tuple[str, str], dict[str, None]] = {}
    for one in among:
        names = [name for name, own in repositories.items() if any(is_of(image, own) for image in one.images)]
        found.setdefault((one.kind, one.name), {}).update(dict.fromkeys(names))
    return {key: tuple(names) for key, names in found.items()}


def is_of(image: str, repository: str) -> bool:
    """Whether a reference, as it is written, is one to a repository."""
    return image.partition("@")[0] == repository or image.startswith((f"{repository}:", f"{repository}@"))


def not_running(wanted: Iterable[str], running: Iterable[str]) -> list[str]:
    """Return the references that are not among others; of one with a digest, the tag beside it says nothing."""
    there = {_identity(image) for image in running}
    return [image for image in wanted if _identity(image) not in there]


def _identity(image: str) -> str:
    named, at, digest = image.partition("@")
    slash, colon = named.rfind("/"), named.rfind(":")
    return f"{named[:colon] if colon > slash else named}@{digest}" if at else image
