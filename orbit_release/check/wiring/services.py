"""Services and what is behind them: which workloads they select, and on which ports those listen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orbit_release.check.wiring.cluster import Cluster, Workload
from orbit_release.manifests.nodes import Node, Scalar, items, scalar, text, texts, value_of
from orbit_release.manifests.objects import Object

# What controllers put on pods: no template has them.
_GIVEN = re.compile(
    r"(?:statefulset\.kubernetes\.io/|apps\.kubernetes\.io/pod-index|(?:rollouts-)?pod-template-hash|controller-revision-hash"
    r"|(?:batch\.kubernetes\.io/)?(?:job-name|controller-uid))"
)


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A Service and the workloads that it selects; `ports` by number."""

    object: Object
    selector: dict[str, str]
    ports: tuple[Node, ...] = field(repr=False)
    workloads: tuple[Workload, ...] = ()

    @property
    def is_headless(self) -> bool:
        """Whether its name leads to the pods themselves, past its ports."""
        return text(self.object.root, "spec", "clusterIP") == "None"

    @property
    def is_alias(self) -> bool:
        """Whether it is another name of a host."""
        return text(self.object.root, "spec", "type") == "ExternalName"

    @property
    def numbers(self) -> set[int]:
        """The ports that it listens on."""
        return {int(number) for port in self.ports if (number := text(port, "port")).isdecimal()}

    @property
    def names(self) -> set[str]:
        """The names of its ports."""
        return {name for port in self.ports if (name := text(port, "name"))}

    @property
    def open_ports(self) -> set[int]:
        """What a client of its name can reach: of a headless one that is what its pods declare as well."""
        if not self.is_headless:
            return self.numbers
        declared = {number for one in self.workloads for number in one.ports}
        targets = {value_of(target) for port in self.ports if (target := target_of(port))}
        return self.numbers | {int(number) for number in declared | targets if number.isdecimal()}

    @property
    def takes_any(self) -> bool:
        """Whether nobody knows what a client of its name can reach."""
        return self.is_alias or (self.is_headless and not any(one.ports for one in self.workloads)) or not self.ports


def target_of(port: Node) -> Scalar | None:
    """Return where a port of a Service leads to: a number or a name, by default its own number."""
    return scalar(port, "targetPort") or scalar(port, "port")


def services(cluster: Cluster) -> list[Service]:
    """Return the Services with the workloads that they select."""
    return [_service(one, cluster) for one in cluster.kind("", "Service")]


def _service(one: Object, cluster: Cluster) -> Service:
    selector = texts(one.root, "spec", "selector")
    selector |= dict(one.selector_labels) if selector else {}
    stable = {key: value for key, value in selector.items() if not _GIVEN.match(key)}
    chosen = cluster.select(stable, one.namespace) if stable else []
    return Service(one, stable, tuple(items(one.root, "spec", "ports")), tuple(chosen))


def listens(one: Workload, target: Scalar) -> bool:
    """Whether one of a workload's containers has the port that a Service leads to."""
    name = value_of(target)
    return name in one.ports if name.isdecimal() else name in one.named_ports


def repositories(one: Workload) -> set[str]:
    """Return the images of a workload's containers, without tag and digest."""
    found = (text(container, "image").partition("@")[0] for container in one.containers)
    return {re.sub(r":[^/:]*\Z", "", image) for image in found if image}
