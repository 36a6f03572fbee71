"""The objects of an application, found by kind, name and namespace, and what else may make one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from orbit_release.manifests.nodes import Node, Scalar, child, items, pairs, scalars, text, texts, value_of
from orbit_release.manifests.objects import Object
from orbit_release.manifests.workloads import CONTAINERS, pod_template

_POD_GROUPS = {"", "apps", "batch", "extensions", "argoproj.io"}
_OWN_GROUPS = re.compile(r"(?:[a-z]+\.k8s\.io|apps|batch|autoscaling|policy|extensions|)\Z")
_READ_GROUPS = {"gateway.networking.k8s.io", "bitnami.com"}
_EXTERNAL_SECRET = ("external-secrets.io", "ExternalSecret")
_INSTALLER = re.compile(
    r"Helm(?:Release|Chart|ChartConfig)|Application(?:Set)?|Kustomization|KfDef|Subscription|ClusterServiceVersion"
    r"|GitRepo|App|PackageInstall|Addon|ClusterAddon|Bundle"
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """What makes pods: its labels are the pods', its containers the initial ones as well."""

    object: Object
    labels: dict[str, str] = field(repr=False)
    spec: Node = field(repr=False)
    containers: tuple[Node, ...] = field(repr=False)

    def __str__(self) -> str:
        return str(self.object)

    @property
    def ends(self) -> bool:
        """Whether its pods run to an end; a Service hardly means them."""
        return self.object.kind in {"Job", "CronJob"} or text(self.spec, "restartPolicy") in {"Never", "OnFailure"}

    @property
    def named_ports(self) -> set[str]:
        """The names of its containers' ports."""
        return {name for one in self.containers for name in port_names(one)}

    @property
    def ports(self) -> dict[str, Scalar]:
        """The numbers of its containers' ports, and where they stand."""
        found = (child(port, "containerPort") for one in self.containers for port in items(one, "ports"))
        return {port.value: port for port in found if isinstance(port, Scalar)}


def port_names(container: Node) -> set[str]:
    """Return the names of a container's ports."""
    return {name for port in items(container, "ports") if (name := text(port, "name"))}


def workload(one: Object) -> Workload | None:
    """Read what makes pods; None for any other object."""
    template = pod_template(one.root)
    if one.group not in _POD_GROUPS or (spec := child(template, "spec")) is None:
        return None
    labels = texts(template, "metadata", "labels") | dict(one.pod_labels)
    containers = tuple(container for key in CONTAINERS for container in items(spec, key))
    return Workload(one, labels, spec, containers)


class Cluster:
    """What applications bring about, as their objects say."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self.objects = tuple(objects)
        self._kinds: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
        for one in self.objects:
            self._kinds[one.group, one.kind].append(one)

    def kind(self, group: str, *kinds: str) -> list[Object]:
        """Return the objects of some kinds of a group."""
        return [one for kind in kinds for one in self._kinds.get((group, kind), ())]

    @cached_property
    def workloads(self) -> list[Workload]:
        """All that makes pods."""
        return [found for one in self.objects if (found := workload(one))]

    def select(self, selector: Mapping[str, str], namespace: str) -> list[Workload]:
        """Return the workloads whose pods have all labels of a selector."""
        fewest = min((self.labelled(*label) for label in selector.items()), key=len, default=[])
        wanted = selector.items()
        return [one for one in fewest if wanted <= one.labels.items() and may_meet(one.object.namespace, namespace)]

    def labelled(self, key: str, value: str) -> list[Workload]:
        """Return the workloads whose pods have a label."""
        return self._by_label.get((key, value), [])

    @cached_property
    def _by_label(self) -> dict[tuple[str, str], list[Workload]]:
        found: defaultdict[tuple[str, str], list[Workload]] = defaultdict(list)
        for one in self.workloads:
            for label in one.labels.items():
                found[label].append(one)
        return found

    @cached_property
    def foreign(self) -> list[Object]:
        """Custom resources: their controllers make objects that nobody wrote."""
        return [one for one in self.objects if not _is_known(one)]

    @cached_property
    def is_whole(self) -> bool:
        """Whether no object in it installs others, which nobody here can know."""
        return not any(_INSTALLER.match(one.kind) for one in self.foreign)

    def may_make(self, name: str) -> bool:
        """Whether something else may make an object of this name: a controller, or a program in a pod."""
        parts = (name[: found.start()] for found in re.finditer(r"[-.]", name))
        return name in self._foreign_words or name in self._spoken or any(one in self._foreign_names for one in parts)

    def is_foreign(self, word: str) -> bool:
        """Whether a custom resource says exactly this."""
        return word in self._foreign_words

    @cached_property
    def _foreign_names(self) -> set[str]:
        return {one.name for one in self.foreign}

    @cached_property
    def _foreign_words(self) -> set[str]:
        return {value_of(value) for one in self.foreign for _, value in scalars(one.root)}

    @cached_property
    def _spoken(self) -> set[str]:
        """The words of command lines, and of scripts that talk to Kubernetes."""
        lines = (item for one in self.workloads for box in one.containers for item in commands(box))
        data = (value for one in self.kind("", "ConfigMap") for _, value in pairs(one.root, "data"))
        scripts = (value_of(value) for value in data if isinstance(value, Scalar) and "kubectl" in value.value)
        said = (*(value_of(item) for item in lines), *scripts)
        return {word for one in said for word in _WORD.findall(one)}


def commands(container: Node) -> Iterator[Scalar]:
    """Yield the words of a container's command line."""
    for key in ("command", "args"):
        yield from (item for item in items(container, key) if isinstance(item, Scalar))


def may_meet(one: str, other: str) -> bool:
    """Whether two namespaces may be one: an object without a namespace gets it when it is applied."""
    return one == other or not one or not other


def _is_known(one: Object) -> bool:
    if _OWN_GROUPS.match(one.group) or one.group in _READ_GROUPS:
        return True
    return (one.group, one.kind) == _EXTERNAL_SECRET or (one.kind == "Rollout" and one.group == "argoproj.io")
