"""What makes pods: where each kind keeps them, and which of their images run all the time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.image_value import cut
from orbit_release.manifests.names import spellings
from orbit_release.manifests.texts.yaml_nodes import (
    Node,
    Scalar,
    SequenceNode,
    child,
    is_plain,
    is_text,
    items,
    scalar,
    text,
)

if TYPE_CHECKING:
    from orbit_release.manifests.places import FoundImage
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
RUNNING = frozenset(CONTAINERS)


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


def workload_of(root: Node) -> str:
    """Return what a cluster knows an object by, as it is written: kind, namespace and name."""
    return "/".join((text(root, "kind"), text(root, "metadata", "namespace"), text(root, "metadata", "name")))


def applied_workload(root: Node) -> AppliedWorkload | None:
    """Return the workload that an object is, as it stands; None where it has no containers."""
    pod = pod_of(root)
    if pod is None:
        return None
    name, namespace = text(root, "metadata", "name"), text(root, "metadata", "namespace")
    return AppliedWorkload(text(root, "kind"), name, tuple(images_of(pod)), is_idle(root), namespace)


def is_idle(root: Node) -> bool:
    """Whether an object may be right without any pod."""
    is_run_by_time = child(root, "spec", "jobTemplate") is not None
    return is_run_by_time or text(root, "kind") == "Job" or _is_zero(child(root, "spec", "replicas"))


def _is_zero(node: Node | None) -> bool:
    """Whether a node is the number 0, in any of YAML's ways to write it; in quotes it is a text."""
    return isinstance(node, Scalar) and is_plain(node) and _ZERO.fullmatch(node.value) is not None


def running_images(written: Sequence[FoundImage], among: Iterable[AppliedWorkload]) -> tuple[ImageReference, ...]:
    """Return the references of one repository that pods must run; what is not known to be idle runs."""
    busy, idle = set[ImageReference | None](), set[ImageReference | None]()
    for workload in among:
        (idle if workload.is_idle else busy).update(map(ImageReference.read, workload.images))
    return tuple(dict.fromkeys(image.reference for image in written if image.reference not in idle - busy))


def owners(among: Iterable[AppliedWorkload], services: Sequence[Service]) -> Owners:
    """Return the services that workloads run images of; a patch may name a workload once more."""
    owned: dict[tuple[str, str, str], dict[str, None]] = {}
    for workload in among:
        names = owned.setdefault((workload.kind, workload.namespace, workload.name), {})
        for service in services:
            if any(is_of(image, service.repository) for image in workload.images):
                names[service.name] = None
    return {key: tuple(names) for key, names in owned.items()}


def is_of(image: str, repository: Repository) -> bool:
    """Whether an image, as it is written, is one of a repository; its tag may be a placeholder."""
    return cut(image)[0] in spellings(repository)
