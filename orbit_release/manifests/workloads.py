"""The workloads of a manifest, and which of their images run all the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.documents import CRON_JOB_POD, Document, at, each, images, pod_place, read_documents
from orbit_release.manifests.names import is_kustomization

if TYPE_CHECKING:
    from orbit_release.manifests.rewrite import FoundImage
    from orbit_release.service import Service


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload as it is applied; `is_idle`: it may be right without any pod; `namespace` is "" where it names none.

    So it is with zero replicas, with a CronJob between two runs, and with a Job, whose pods go when they are done.
    """

    kind: str
    name: str
    images: tuple[str, ...]
    is_idle: bool
    namespace: str = ""


# The services that a workload runs images of, by its kind, namespace and name.
Owners: TypeAlias = Mapping[tuple[str, str, str], tuple[str, ...]]


def workloads(manifests: Iterable[tuple[str, bytes]]) -> Iterator[Workload]:
    """Yield the workloads of manifests, each a path and its bytes; what is no YAML has none.

    The names and images that a kustomization gives are those of one workload more, wherever it is; the replicas count
    for the workloads in its folder, and below.
    """
    documents = [(path, one) for path, data in manifests for one in read_documents(data) or ()]
    kustomizations = [_Kustomization.read(*pair) for pair in documents if is_kustomization(pair[0])]
    for path, document in documents:
        if place := pod_place(document):
            found = _workload(document, place)
            if any(one.puts_to_sleep(path, found) for one in kustomizations):
                found = replace(found, is_idle=True)
            yield found
            yield from (changed for one in kustomizations if (changed := one.changed(found)) != found)


def _workload(document: Document, place: tuple[str, ...]) -> Workload:
    kind, name, namespace = (
        str(at(document, *keys) or "") for keys in (("kind",), ("metadata", "name"), ("metadata", "namespace"))
    )
    idle = place == CRON_JOB_POD or kind == "Job" or at(document, "spec", "replicas") == 0
    return Workload(kind, name, tuple(images(at(document, *place))), is_idle=idle, namespace=namespace)


@dataclass(frozen=True, slots=True)
class _Kustomization:
    """What a kustomization changes of workloads: names, the repositories of images, those without replicas."""

    folder: str
    namespace: str
    prefix: str
    suffix: str
    repositories: Mapping[str, str]
    asleep: frozenset[str]

    @classmethod
    def read(cls, path: str, document: Document) -> _Kustomization:
        named = {str(at(one, "name")): at(one, "newName") for one in each(document, "images")}
        asleep = frozenset(str(at(one, "name")) for one in each(document, "replicas") if at(one, "count") == 0)
        namespace, prefix, suffix = (str(document.get(key) or "") for key in ("namespace", "namePrefix", "nameSuffix"))
        repositories = {name: str(new) for name, new in named.items() if new}
        return cls(path[: path.rfind("/") + 1], namespace, prefix, suffix, repositories, asleep)

    def puts_to_sleep(self, path: str, workload: Workload) -> bool:
        return workload.name in self.asleep and path.startswith(self.folder)

    def changed(self, workload: Workload) -> Workload:
        name = f"{self.prefix}{workload.name}{self.suffix}"
        images_then = tuple(map(self._renamed, workload.images))
        return replace(workload, name=name, images=images_then, namespace=self.namespace or workload.namespace)

    def _renamed(self, image: str) -> str:
        name = next((one for one in self.repositories if is_of(image, one)), None)
        return self.repositories[name] + image.removeprefix(name) if name else image


def running_images(found: Sequence[FoundImage], among: Sequence[Workload]) -> tuple[ImageReference, ...]:
    """Return the references of one repository that pods must run; `found` are those in the manifests.

    A kustomization's `images` stand in the place of what the containers say. What is not known to be idle runs.
    """
    busy = {image for workload in among if not workload.is_idle for image in workload.images}
    idle = {image for workload in among if workload.is_idle for image in workload.images} - busy
    kustomized = [image.reference for image in found if is_kustomization(image.path)]
    if kustomized:
        name = kustomized[0].repository
        is_asleep = any(is_of(image, name) for image in idle) and not any(is_of(image, name) for image in busy)
        return () if is_asleep else tuple(dict.fromkeys(kustomized))
    asleep = {ImageReference.read(image) for image in idle}
    return tuple(dict.fromkeys(image.reference for image in found if image.reference not in asleep))


def owners(among: Iterable[Workload], services: Sequence[Service]) -> Owners:
    """Return the services that workloads run images of; a patch may name a workload once more."""
    names: dict[tuple[str, str, str], dict[str, None]] = {}
    for workload in among:
        runs = [
            service.name for service in services if any(is_of(image, service.repository) for image in workload.images)
        ]
        names.setdefault((workload.kind, workload.namespace, workload.name), {}).update(dict.fromkeys(runs))
    return {key: tuple(own) for key, own in names.items()}


def is_of(image: str, name: Repository | str) -> bool:
    """Whether an image, as it is written, is one of a repository; its tag may be a placeholder."""
    return image.partition("@")[0] == str(name) or image.startswith((f"{name}:", f"{name}@"))
