"""Objects by kind, the pods that they make, and what else may make an object."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from orbit_release.check.written_objects import Object
from orbit_release.manifests.texts.yaml_nodes import Node, Scalar, child, items, pairs, scalars, value_of
from orbit_release.manifests.workloads import CONTAINERS, POD_TEMPLATES

_POD_GROUPS = {"", "apps", "batch", "extensions", "argoproj.io"}
_OWN_GROUPS = re.compile(r"(?:[a-z]+\.k8s\.io|apps|batch|autoscaling|policy|extensions|)\Z")
_READ_GROUPS = {"gateway.networking.k8s.io", "bitnami.com"}
_READ_KINDS = {("external-secrets.io", "ExternalSecret"), ("argoproj.io", "Rollout")}
_INSTALLER = re.compile(
    r"Helm(?:Release|Chart|ChartConfig)|Application(?:Set)?|Kustomization|KfDef|Subscription|ClusterServiceVersion"
    r"|GitRepo|App|PackageInstall|Addon|ClusterAddon|Bundle"
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, eq=False)
class PodMaker:
    """An object that makes pods: their `spec`, and `containers` with the initial ones."""

    object: Object
    spec: Node = field(repr=False)
    containers: tuple[Node, ...] = field(repr=False)

    def __str__(self) -> str:
        return str(self.object)


def pod_maker(obj: Object) -> PodMaker | None:
    path = POD_TEMPLATES.get(obj.kind)
    spec = None if path is None else child(obj.root, *path, "spec")
    if obj.group not in _POD_GROUPS or spec is None:
        return None
    return PodMaker(obj, spec, tuple(container for key in CONTAINERS for container in items(spec, key)))


class Cluster:
    """What some objects bring about once they are applied."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self.objects = tuple(objects)
        self._by_kind: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
        for obj in self.objects:
            self._by_kind[obj.group, obj.kind].append(obj)

    def of_kind(self, group: str, *kinds: str) -> list[Object]:
        return [obj for kind in kinds for obj in self._by_kind.get((group, kind), ())]

    @cached_property
    def pod_makers(self) -> list[PodMaker]:
        return [maker for obj in self.objects if (maker := pod_maker(obj))]

    @cached_property
    def is_whole(self) -> bool:
        """Whether no object in it installs others, which nobody here can know."""
        return not any(_INSTALLER.match(obj.kind) for obj in self._custom_resources)

    def may_make(self, name: str) -> bool:
        """Whether something else may make an object of this name: a controller, or a program in a pod."""
        parts = (name[: mark.start()] for mark in re.finditer(r"[-.]", name))
        return name in self._mentioned or any(part in self._custom_names for part in parts)

    @cached_property
    def _custom_resources(self) -> list[Object]:
        """The objects whose controllers make others that nobody wrote."""
        others = [obj for obj in self.objects if obj.group not in _READ_GROUPS and not _OWN_GROUPS.match(obj.group)]
        return [obj for obj in others if (obj.group, obj.kind) not in _READ_KINDS]

    @cached_property
    def _custom_names(self) -> set[str]:
        return {obj.name for obj in self._custom_resources}

    @cached_property
    def _mentioned(self) -> set[str]:
        """The values of custom resources, and the words of command lines and of scripts that talk to Kubernetes."""
        containers = [container for maker in self.pod_makers for container in maker.containers]
        data = (value for obj in self.of_kind("", "ConfigMap") for _, value in pairs(obj.root, "data"))
        texts = [value for value in data if isinstance(value, Scalar) and "kubectl" in value.value]
        for arguments in (items(container, key) for container in containers for key in ("command", "args")):
            texts += (argument for argument in arguments if isinstance(argument, Scalar))
        values = {value_of(value) for obj in self._custom_resources for _, value in scalars(obj.root)}
        return values.union(*(_WORD.findall(value_of(text)) for text in texts))


def may_be_same(namespace: str, other: str) -> bool:
    """Whether two namespaces may be one: an object without a namespace gets it when it is applied."""
    return namespace == other or not namespace or not other
