"""The workloads of a manifest, and which of their images run all the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from orbit_release.core.manifest import FoundImage

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEMPLATE = ("spec", "template", "spec")
_JOB = ("spec", "jobTemplate", *_TEMPLATE)


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
    for _, data in manifests:
        try:
            documents = list(yaml.load_all(data, Loader=_LOADER))
        except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that is none, or no UTF-8
            continue
        for document in documents:
            yield from _in(document)


def _in(document: Any) -> Iterator[Workload]:
    items = _at(document, "items")
    if isinstance(items, list):
        for item in items:
            yield from _in(item)
        return
    for path in (_JOB, _TEMPLATE, ("spec",)):
        pod = _at(document, *path)
        if isinstance(pod, dict) and isinstance(pod.get("containers"), list):
            kind, name = (str(_at(document, *keys) or "") for keys in (("kind",), ("metadata", "name")))
            idle = path is _JOB or kind == "Job" or _at(document, "spec", "replicas") == 0
            yield Workload(kind, name, tuple(_images(pod)), is_idle=idle)
            return


def _images(pod: dict[str, Any]) -> Iterator[str]:
    for field in ("initContainers", "containers"):
        found = pod.get(field)
        for container in found if isinstance(found, list) else ():
            image = _at(container, "image")
            if isinstance(image, str):
                yield image


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def running_images(found: Sequence[FoundImage], among: Sequence[Workload]) -> tuple[str, ...]:
    """Return the references of one repository that pods must run; `found` are those in the manifests.

    A kustomization's `images` stand in the place of what the containers say. What is not known to be idle runs.
    """
    renamed = [one for one in found if one.path.rpartition("/")[2] in _KUSTOMIZATIONS]
    busy = {image for workload in among if not workload.is_idle for image in workload.images}
    idle = {image for workload in among if workload.is_idle for image in workload.images} - busy
    if renamed:
        name = str(renamed[0].reference.repository)
        known = any(is_of(image, name) for image in idle) and not any(is_of(image, name) for image in busy)
        return () if known else tuple(dict.fromkeys(str(one.reference) for one in renamed))
    return tuple(dict.fromkeys(text for one in found if (text := str(one.reference)) not in idle))


def is_of(image: str, repository: str) -> bool:
    """Whether a reference, as it is written, is one to a repository."""
    return image.partition("@")[0] == repository or image.startswith((f"{repository}:", f"{repository}@"))
