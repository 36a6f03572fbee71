"""Who calls a Service: addresses in environments and ConfigMaps, and the routes into the cluster."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.check.finding import Finding, Group, Rule
from orbit_release.check.wiring.addresses import addresses, service_names
from orbit_release.check.wiring.cluster import Cluster, Workload, may_meet
from orbit_release.check.wiring.services import Service
from orbit_release.manifests.nodes import Node, Scalar, child, items, pairs, scalar, text, value_of
from orbit_release.manifests.objects import Object

WRONG_PORT = Rule(
    "wrong-port", Group.WIRING, "A Service answers on its own ports only: a connection to another one hangs."
)
MISSING_BACKEND = Rule("missing-backend", Group.WIRING, "A route without a backend answers with an error.")

_GATEWAY = "gateway.networking.k8s.io"
_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")
_VARIABLE = re.compile(r"\$\(([A-Za-z0-9_.-]+)\)")
_IMAGE = re.compile(r"image|(?:^|_)(?:tag|version)s?$", re.IGNORECASE)
_BY_ANNOTATION = "use-annotation"  # the AWS controller's: an annotation says what is behind it


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that may hold addresses, where it stands, and how it is called."""

    owner: Object
    node: Scalar
    value: str
    label: str

    def place(self, position: int) -> tuple[str, int]:
        """Return file and line of a position in the text; the lines of a literal block are its own."""
        path, line = self.owner.place(self.node)
        is_literal = self.node.style == "|" and not self.owner.is_rendered
        return path, line + 1 + self.value.count("\n", 0, position) if is_literal else line


class Directory:
    """The Services by name."""

    def __init__(self, found: list[Service]) -> None:
        self._named: defaultdict[str, list[Service]] = defaultdict(list)
        for one in found:
            self._named[one.object.name].append(one)
        self._spaces = {one.object.namespace for one in found}

    def find(self, name: str, namespace: str) -> list[Service]:
        """Return the Services that a name may mean in a namespace."""
        return [one for one in self._named.get(name, ()) if may_meet(one.object.namespace, namespace)]

    def has_any(self, namespace: str) -> bool:
        """Whether any Service of a namespace is known."""
        return any(may_meet(one, namespace) for one in self._spaces)

    def at(self, host: str, namespace: str) -> list[Service]:
        """Return what a host means for a pod in a namespace; a pod's own name works with headless Services only."""
        for pod, name, space in service_names(host, namespace):
            found = [one for one in self.find(name, space) if not pod or _has_pod(one, pod)]
            if found:
                return found
        return []


def _has_pod(service: Service, pod: str) -> bool:
    return service.is_headless and any(pod.startswith(f"{one.object.name}-") for one in service.workloads)


def check(cluster: Cluster, everywhere: Cluster, found: Directory) -> Iterator[Finding]:
    """Yield the addresses and the routes that lead to a port, or to a Service, that is not there."""
    for one in _texts(cluster):
        if not _IMAGE.search(one.label):
            yield from _addresses(one, found)
    for route in cluster.kind(_GATEWAY, *_ROUTES):
        for backend in _backends(route.root):
            yield from _backend(route, backend, everywhere, found)
    for ingress in (*cluster.kind("networking.k8s.io", "Ingress"), *cluster.kind("extensions", "Ingress")):
        yield from _ingress(ingress, everywhere, found)


def _addresses(one: _Text, found: Directory) -> Iterator[Finding]:
    for address in addresses(one.value) if ":" in one.value else ():
        services = found.at(address.host, one.owner.namespace)
        if services and not any(service.takes_any or address.port in service.open_ports for service in services):
            named = f"{one.label} of {one.owner} names {address.host}:{address.port}"
            message = f"{named}, and {services[0].object} has no such port"
            yield Finding(WRONG_PORT, *one.place(address.position), message, _ports(services[0]))


def _ports(service: Service) -> str:
    return f"its ports: {', '.join(map(str, sorted(service.open_ports)))}."


def _texts(cluster: Cluster) -> Iterator[_Text]:
    for pod in cluster.workloads:
        for container in pod.containers:
            yield from _environment(pod, container)
    for one in cluster.kind("", "ConfigMap"):
        yield from _values(one, "data")
    for one in cluster.kind("external-secrets.io", "ExternalSecret"):
        yield from _values(one, "spec", "target", "template", "data")
    for one in cluster.kind("", "Secret"):
        yield from _values(one, "stringData")


def _values(one: Object, *path: str) -> Iterator[_Text]:
    for key, value in pairs(one.root, *path):
        if isinstance(value, Scalar):
            yield _Text(one, value, value.value, value_of(key))


def _environment(pod: Workload, container: Node) -> Iterator[_Text]:
    """Yield the variables of a container, with those that stand before them put in."""
    known: dict[str, str] = {}
    for item in items(container, "env"):
        name, value = text(item, "name"), scalar(item, "value")
        if value is not None:
            known[name] = _VARIABLE.sub(lambda found: known.get(found[1], found[0]), value_of(value))
            yield _Text(pod.object, value, known[name], name)


def _backends(root: Node) -> Iterator[Node]:
    for rule in items(root, "spec", "rules"):
        yield from items(rule, "backendRefs")
        filters = [
            *items(rule, "filters"),
            *(one for ref in items(rule, "backendRefs") for one in items(ref, "filters")),
        ]
        mirrors = (child(one, "requestMirror", "backendRef") for one in filters)
        yield from (one for one in mirrors if one is not None)


def _backend(route: Object, backend: Node, everywhere: Cluster, found: Directory) -> Iterator[Finding]:
    name, port = scalar(backend, "name"), scalar(backend, "port")
    is_service = not text(backend, "group") and text(backend, "kind") in {"", "Service"}
    space = text(backend, "namespace") or route.namespace
    if name and is_service and may_meet(space, route.namespace):
        yield from _lead(route, name, port, everywhere, found)


def _ingress(one: Object, everywhere: Cluster, found: Directory) -> Iterator[Finding]:
    rules = (path for rule in items(one.root, "spec", "rules") for path in items(rule, "http", "paths"))
    backends = [child(path, "backend") for path in rules]
    backends += [child(one.root, "spec", "defaultBackend"), child(one.root, "spec", "backend")]
    for backend in backends:
        name = scalar(backend, "service", "name") or scalar(backend, "serviceName")
        ports = [scalar(backend, "service", "port", key) for key in ("name", "number")]
        port = next(filter(None, [*ports, scalar(backend, "servicePort")]), None)
        if name and not (port and value_of(port) == _BY_ANNOTATION):
            yield from _lead(one, name, port, everywhere, found)


def _lead(route: Object, name: Scalar, port: Scalar | None, everywhere: Cluster, found: Directory) -> Iterator[Finding]:
    services = found.find(value_of(name), route.namespace)
    if not services:
        if everywhere.is_whole and found.has_any(route.namespace) and not everywhere.may_make(value_of(name)):
            message = f"{route} leads to Service {value_of(name)}, and no manifest makes it"
            yield Finding(MISSING_BACKEND, *route.place(name), message, "add the Service, or correct the name.")
    elif port and not any(_answers(one, value_of(port)) for one in services):
        message = f"{route} leads to port {value_of(port)} of Service {value_of(name)}, which it has not"
        yield Finding(MISSING_BACKEND, *route.place(port), message, _ports(services[0]))


def _answers(service: Service, port: str) -> bool:
    if service.is_alias:
        return True
    return int(port) in service.numbers if port.isdecimal() else port in service.names
