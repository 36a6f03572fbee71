"""The objects that a folder renders to, and what the tests ask about them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from runpy import run_path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "infrastructure" / "k8s"
Object = dict[str, Any]
_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


@dataclass(frozen=True)
class Pod:
    """The template of a workload's pods."""

    workload: Object

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.workload["spec"]["template"]["metadata"]["labels"])

    @property
    def spec(self) -> Object:
        return dict(self.workload["spec"]["template"]["spec"])

    @property
    def main(self) -> Object:
        return dict(self.spec["containers"][0])

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.main.get("ports", [])}

    @property
    def volumes(self) -> dict[str, Object]:
        return {volume["name"]: volume for volume in self.spec.get("volumes", [])}

    @property
    def claims(self) -> dict[str, str]:
        """The claims that the pod mounts, by the name of their volume."""
        claims = {name: volume.get("persistentVolumeClaim") for name, volume in self.volumes.items()}
        return {name: claim["claimName"] for name, claim in claims.items() if claim}

    @property
    def volume_mounts(self) -> list[tuple[str, Object]]:
        """Every mount, with the name of its container."""
        return [(one["name"], mount) for one in self.containers for mount in one.get("volumeMounts", [])]

    def mounts(self, container: Object) -> dict[str, Object]:
        """Return the volumes of a container by their path."""
        return {mount["mountPath"]: self.volumes[mount["name"]] for mount in container.get("volumeMounts", [])}

    def mounted(self) -> dict[str, str]:
        """Return what is mounted, by container and path: the kind of the volume, its source, and how."""
        return {f"{name} {mount['mountPath']}": self._mounted(mount) for name, mount in self.volume_mounts}

    def _mounted(self, mount: Object) -> str:
        kind, source = next((key, value) for key, value in self.volumes[mount["name"]].items() if key != "name")
        assert "optional" not in source, mount["name"]
        name = source.get("claimName") or source.get("name", "")
        return f"{kind} {name}".rstrip() + (", read-only" if mount.get("readOnly") else "")

    def security(self, container: Object, field: str) -> Any:
        """Return a security setting of a container, its own or else the pod's."""
        own = container.get("securityContext", {})
        return own.get(field, self.spec.get("securityContext", {}).get(field))

    def probes(self) -> dict[str, str]:
        """Return the probes of the main container, each in a line such as `httpGet 3000 /api/health`."""
        return {kind[:-5]: self._probe(self.main[kind]) for kind in _PROBES if kind in self.main}

    def _probe(self, probe: Object) -> str:
        if command := probe.get("exec", {}).get("command"):
            return f"exec {command[-1] if command[0] == '/bin/sh' else ' '.join(command)}"
        kind = next(kind for kind in ("httpGet", "tcpSocket", "grpc") if kind in probe)
        port = probe[kind]["port"]
        detail = probe[kind].get("path", probe[kind].get("service", ""))
        return f"{kind} {self.ports.get(port, port)} {detail}".rstrip()


@cache
def _renderer() -> list[str]:
    """Return the command that scripts/render would run."""
    command: list[str] = run_path(str(ROOT / "scripts/render"))["renderer"]()
    return command


@dataclass(frozen=True)
class Cluster:
    """Everything that a folder renders to."""

    objects: tuple[Object, ...]

    @classmethod
    def render(cls, folder: Path) -> Cluster:
        done = subprocess.run([*_renderer(), str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return cls(tuple(yaml.safe_load_all(done.stdout)))

    def kind(self, kind: str) -> dict[str, Object]:
        """Return the objects of a kind by name."""
        return {found["metadata"]["name"]: found for found in self.objects if found["kind"] == kind}

    @property
    def running(self) -> dict[str, Pod]:
        """The pods of what runs for good, by the name of the workload."""
        return {name: Pod(found) for kind in _RUNNING for name, found in self.kind(kind).items()}

    @property
    def pods(self) -> dict[str, Pod]:
        """All pods, those of Jobs included."""
        return self.running | {name: Pod(job) for name, job in self.kind("Job").items()}

    @property
    def ports(self) -> dict[str, dict[str, int]]:
        """The ports of every Service by name."""
        services = self.kind("Service").items()
        return {name: {port["name"]: port["port"] for port in found["spec"]["ports"]} for name, found in services}

    def environment(self, pod: Pod) -> dict[str, str]:
        """Return the values in a pod's main environment, those of its ConfigMaps included; not the secrets."""
        found: dict[str, str] = {}
        for source in pod.main.get("envFrom", []):
            found |= self.kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
        return found | {item["name"]: item["value"] for item in pod.main.get("env", []) if "value" in item}

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield every place and text that may name another service: environments, ConfigMaps, templates."""
        for name, pod in self.pods.items():
            for container in pod.containers:
                yield from ((f"{name} {item['name']}", item.get("value", "")) for item in container.get("env", []))
                yield f"{name} command", " ".join([*container.get("command", []), *container.get("args", [])])
        for name, found in self.kind("ConfigMap").items():
            yield from ((f"ConfigMap {name} {key}", text) for key, text in found["data"].items())
        for name, found in self.kind("ExternalSecret").items():
            templates = found["spec"]["target"]["template"]["data"]
            yield from ((f"ExternalSecret {name} {key}", text) for key, text in templates.items())


def secrets(pod: Pod) -> dict[str, str]:
    """Return the keys of the one Secret that all containers of a pod take, by the variable that holds them."""
    items = [item for container in pod.containers for item in container.get("env", []) if "valueFrom" in item]
    for item in items:
        reference = item["valueFrom"]["secretKeyRef"]
        assert reference == {"name": "orbit-secrets", "key": reference["key"]}, item["name"]
    return {item["name"]: item["valueFrom"]["secretKeyRef"]["key"] for item in items}


def wave(found: Object) -> int:
    """Return the sync wave of an object."""
    return int(found["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))
