"""What makes pods: where each kind keeps them, and which of their images run all the time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.objects import is_kustomization, objects_of
from orbit_release.manifests.yaml_nodes import Node, Scalar, SequenceNode, child, is_plain, is_text, items, scalar, text

if TYPE_CHECKING:
    from orbit_release.manifests.rewrite import FoundImage
    from orbit_release.service import Service

_TEMPLATE = ("spec", "template")
_CRON_TEMPLATE = ("spec", "jobTemplate", *_TEMPLATE)
# Where each kind of workload keeps what its pods are made from: their metadata, and their `spec`.
POD_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "CronJob": _CRON_TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Deployment": _TEMPLATE,
    "Job": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "ReplicationController": _TEMPLATE,
    "Rollout": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
}
# Where an object of another kind may keep it. Such an object counts as running, and no release edits it.
_OTHER_TEMPLATES = (_CRON_TEMPLATE, _TEMPLATE, ())
_ZERO = re.compile(r"[-+]?0+|0[xob]0+")
CONTAINERS = ("initContainers", "containers")  # in the order in which they run


@dataclass(frozen=True, slots=True)
class AppliedWorkload:
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


def pod_of(root: Node) -> Node | None:
    """Return the specification of an object's pods; None where it has no containers.

    Objects of unknown kinds may make pods as well. They do where they have containers in a place of a known kind.
    """
    known = POD_TEMPLATES.get(text(root, "kind"))
    places = _OTHER_TEMPLATES if known is None else (known,)
    pods = (child(root, *place, "spec") for place in places)
    return next((pod for pod in pods if isinstance(child(pod, "containers"), SequenceNode)), None)


def images_of(pod: Node) -> list[str]:
    """Return the images of a pod's containers, as they are written."""
    images = (scalar(container, "image") for kind in CONTAINERS for container in items(pod, kind))
    return [text(image) for image in images if image and is_text(image)]


def workloads(manifests: Iterable[tuple[str, bytes]]) -> Iterator[AppliedWorkload]:
    """Yield the workloads of manifests, each a path and its bytes; what is no YAML has none.

    The names and images that a kustomization gives are those of one workload more, wherever it is; the replicas count
    for the workloads in its folder, and below.
    """
    written: list[tuple[str, AppliedWorkload]] = []
    changes: list[_KustomizeChanges] = []
    for path, data in manifests:
        with suppress(InvalidError):
            for root in objects_of(data, path):
                if pod := pod_of(root):
                    written.append((path, _workload(root, pod)))
                if is_kustomization(path):
                    changes.append(_KustomizeChanges.read(path, root))
    for path, workload in written:
        is_asleep = any(workload.name in change.asleep and path.startswith(change.folder) for change in changes)
        applied = replace(workload, is_idle=workload.is_idle or is_asleep)
        yield applied
        yield from (changed for change in changes if (changed := change.changed(applied)) != applied)


def _workload(root: Node, pod: Node) -> AppliedWorkload:
    kind, name, namespace = text(root, "kind"), text(root, "metadata", "name"), text(root, "metadata", "namespace")
    return AppliedWorkload(kind, name, tuple(images_of(pod)), is_idle(root), namespace)


def is_idle(root: Node) -> bool:
    """Whether an object may be right without any pod."""
    is_run_by_time = child(root, "spec", "jobTemplate") is not None
    return is_run_by_time or text(root, "kind") == "Job" or _is_zero(child(root, "spec", "replicas"))


def _is_zero(node: Node | None) -> bool:
    """Whether a node is the number 0, in any of YAML's ways to write it; in quotes it is a text."""
    return isinstance(node, Scalar) and is_plain(node) and _ZERO.fullmatch(node.value) is not None


@dataclass(frozen=True, slots=True)
class _KustomizeChanges:
    """What a kustomization changes of workloads: names, the repositories of images, those without replicas."""

    folder: str
    namespace: str
    prefix: str
    suffix: str
    repositories: Mapping[str, str]
    asleep: frozenset[str]

    @classmethod
    def read(cls, path: str, root: Node) -> _KustomizeChanges:
        images, replicas = items(root, "images"), items(root, "replicas")
        repositories = {text(image, "name"): new for image in images if (new := text(image, "newName"))}
        asleep = frozenset(text(entry, "name") for entry in replicas if _is_zero(child(entry, "count")))
        namespace, prefix, suffix = (text(root, key) for key in ("namespace", "namePrefix", "nameSuffix"))
        return cls(path[: path.rfind("/") + 1], namespace, prefix, suffix, repositories, asleep)

    def changed(self, workload: AppliedWorkload) -> AppliedWorkload:
        name = f"{self.prefix}{workload.name}{self.suffix}"
        images = tuple(map(self._renamed, workload.images))
        return replace(workload, name=name, images=images, namespace=self.namespace or workload.namespace)

    def _renamed(self, image: str) -> str:
        name = next((name for name in self.repositories if is_of(image, name)), None)
        return self.repositories[name] + image.removeprefix(name) if name else image


def running_images(written: Sequence[FoundImage], among: Sequence[AppliedWorkload]) -> tuple[ImageReference, ...]:
    """Return the references of one repository that pods must run, of those that are `written` in the manifests.

    A kustomization's `images` stand in the place of what the containers say. What is not known to be idle runs.
    """
    busy = {image for workload in among if not workload.is_idle for image in workload.images}
    idle = {image for workload in among if workload.is_idle for image in workload.images} - busy
    kustomized = [image.reference for image in written if is_kustomization(image.path)]
    if kustomized:
        name = kustomized[0].repository
        is_asleep = any(is_of(image, name) for image in idle) and not any(is_of(image, name) for image in busy)
        return () if is_asleep else tuple(dict.fromkeys(kustomized))
    asleep = {ImageReference.read(image) for image in idle}
    return tuple(dict.fromkeys(image.reference for image in written if image.reference not in asleep))


def owners(among: Iterable[AppliedWorkload], services: Sequence[Service]) -> Owners:
    """Return the services that workloads run images of; a patch may name a workload once more."""
    owned: dict[tuple[str, str, str], dict[str, None]] = {}
    for workload in among:
        names = owned.setdefault((workload.kind, workload.namespace, workload.name), {})
        for service in services:
            if any(is_of(image, service.repository) for image in workload.images):
                names[service.name] = None
    return {key: tuple(names) for key, names in owned.items()}


def is_of(image: str, name: Repository | str) -> bool:
    """Whether an image, as it is written, is one of a repository; its tag may be a placeholder."""
    return image.partition("@")[0] == str(name) or image.startswith((f"{name}:", f"{name}@"))
