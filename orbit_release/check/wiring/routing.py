"""From an address to a pod: addresses, routes, Services, and the ports that containers listen on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orbit_release.check.finding import Finding, Group, Rule
from orbit_release.check.wiring.cluster import Cluster, Workload, commands, port_names
from orbit_release.check.wiring.services import Service, listens, repositories, target_of
from orbit_release.manifests.nodes import Node, Scalar, child, items, scalar, scalars, text, value_of

SERVICE_SELECTOR = Rule(
    "service-selector", Group.WIRING, "A Service sends its traffic to every pod with its labels, and to no other."
)
TARGET_PORT = Rule(
    "target-port", Group.WIRING, "A connection through the Service is refused: no container listens there."
)
PROBE_PORT = Rule("probe-port", Group.WIRING, "A probe of a port that is not there fails, and the pod is never ready.")

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_WAYS = ("httpGet", "tcpSocket", "grpc")
# What tells versions of one thing apart: a Service that selects several of them means it.
_VERSION = re.compile(r"(?:.*[./-])?(?:version|track|stage|slot|colou?r|canary|variant|revision|release|shard)\Z")
# What everything in an application has.
_COMMON = re.compile(r"(?:.*[./-])?(?:part-of|managed-by|instance|chart|heritage|release)\Z")
_SIDE_PORT = re.compile(r"metric|prom|monitor|health|probe|admin|debug|status|stat|pprof|profil|manage|exporter")
_SIDE_NOTE = "prometheus.io/port"


def check(cluster: Cluster, everywhere: Cluster, found: list[Service]) -> Iterator[Finding]:
    """Yield what is wrong with Services and probes."""
    used = _Used(found)
    for one in found:
        if one.selector and not one.is_alias:
            yield from _selection(one, cluster, everywhere)
            yield from _targets(one, used)
    for pod in cluster.workloads:
        yield from _probes(pod)


def _selection(service: Service, cluster: Cluster, everywhere: Cluster) -> Iterator[Finding]:
    where = service.object.place(child(service.object.root, "spec", "selector"))
    labels = ", ".join(f"{key}={value}" for key, value in service.selector.items())
    running = list({str(one): one for one in service.workloads if not one.ends}.values())
    if not service.workloads and not _may_come(service, cluster, everywhere):
        message = f"{service.object} selects nothing: no pod has {labels}"
        yield Finding(SERVICE_SELECTOR, *where, message, "select the labels of the pods' template.")
    elif len(running) > 1 and not service.is_headless and not _is_one(running):
        names = " and ".join(map(str, running[:3])) + (" and others" if len(running) > 3 else "")  # noqa: PLR2004
        message = f"{service.object} selects the pods of {names}"
        yield Finding(SERVICE_SELECTOR, *where, message, "select a label that only one of them has.")


def _may_come(service: Service, cluster: Cluster, everywhere: Cluster) -> bool:
    """Whether pods for a Service that selects none may come from elsewhere, or get their labels while they run."""
    if not cluster.workloads or not cluster.is_whole or any(map(everywhere.is_foreign, service.selector.values())):
        return True
    telling = [label for label in service.selector.items() if not _COMMON.match(label[0])]
    near = (one for label in telling for one in everywhere.labelled(*label))
    return any(_is_nearly(service.selector, one.labels) for one in near)


def _is_nearly(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a template contradicts no label: those that it lacks are set later, on the one that leads, say."""
    return all(selector[key] == labels[key] for key in selector.keys() & labels.keys())


def _is_one(running: list[Workload]) -> bool:
    """Whether workloads are one thing in several versions: by their labels, or by their image."""
    if set.intersection(*map(repositories, running)):
        return True
    plain = [{key: value for key, value in one.labels.items() if not _VERSION.match(key)} for one in running]
    return all(one == plain[0] for one in plain) and any(one.labels != running[0].labels for one in running)


class _Used:
    """Which ports Services lead to."""

    def __init__(self, found: list[Service]) -> None:
        self._targets: dict[int, set[str]] = {}
        for service in found:
            targets = {value_of(target) for port in service.ports if (target := target_of(port))}
            for one in service.workloads:
                self._targets.setdefault(id(one), set()).update(targets)

    def idle(self, one: Workload) -> list[str]:
        """Return the declared ports that no Service leads to, and that are there for one."""
        targets = self._targets.get(id(one), set())
        ports = [port for container in one.containers for port in items(container, "ports")]
        told = (port for port in ports if not _SIDE_PORT.search(text(port, "name")))
        idle = [text(port, "containerPort") for port in told if targets.isdisjoint(_names(port))]
        return [number for number in idle if number not in said_aside(one)]


def _names(port: Node) -> set[str]:
    return {text(port, "containerPort"), text(port, "name")}


def said_aside(one: Workload) -> set[str]:
    """Return the numbers that a pod's probes, command lines, variables and annotations hold."""
    said = [value_of(word) for container in one.containers for word in commands(container)]
    said += [text(item, "value") for container in one.containers for item in items(container, "env")]
    probes = (child(container, kind) for container in one.containers for kind in _PROBES)
    said += [value_of(value) for probe in probes if probe is not None for _, value in scalars(probe)]
    said += [value_of(value) for path, value in scalars(one.object.root) if path[-1:] == (_SIDE_NOTE,)]
    return {number for words in said for number in re.findall(r"\d+", words)}


def _targets(service: Service, used: _Used) -> Iterator[Finding]:
    for port in service.ports:
        target = target_of(port)
        if target is None or not service.workloads or any(listens(one, target) for one in service.workloads):
            continue
        name = value_of(target)
        is_elsewhere = not service.is_headless and all(_is_elsewhere(one, name, used) for one in service.workloads)
        if name.isdecimal() and not is_elsewhere:
            continue
        yield _unheard(service, target)


def _is_elsewhere(one: Workload, number: str, used: _Used) -> bool:
    """Whether a pod listens on another port than a Service expects.

    Declared ports inform only, so a number that is not declared may be right. It is wrong where a port that was
    declared for a Service has none that leads to it, and nothing in the pod speaks of the number.
    """
    if text(one.spec, "hostNetwork") == "true" or any(items(box, "envFrom") for box in one.containers):
        return False
    return bool(used.idle(one)) and number not in said_aside(one)


def _unheard(service: Service, target: Scalar) -> Finding:
    one = service.workloads[0]
    declared = sorted(one.named_ports) + sorted(one.ports, key=int if all(map(str.isdecimal, one.ports)) else str)
    message = f"{service.object} leads to port {value_of(target)}, and {one} has no such port"
    fix = f"its ports: {', '.join(declared)}." if declared else f"declare the port in {one.object.path}."
    return Finding(TARGET_PORT, *service.object.place(target), message, fix)


def _probes(pod: Workload) -> Iterator[Finding]:
    for container in pod.containers:
        names = port_names(container)
        for kind in _PROBES:
            found = (scalar(container, kind, way, "port") for way in _WAYS)
            for port in (one for one in found if one and not value_of(one).isdecimal()):
                name = value_of(port)
                if name not in names and "$" not in name:
                    message = f"the {kind} of {pod} asks port {name}, and container {text(container, 'name')} has none"
                    fix = f"its ports: {', '.join(sorted(names))}." if names else "name a port of the container."
                    yield Finding(PROBE_PORT, *pod.object.place(port), message, fix)
