"""What the manifests need from their surroundings: secrets, host names, images, and NFS directories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.doctor.applied_objects import AppliedObject, applied_objects
from orbit_release.image import ImageReference
from orbit_release.manifests.deployed import Manifests
from orbit_release.manifests.texts.yaml_nodes import Node, child, items, keys, text
from orbit_release.manifests.workloads import pod_of

_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute")
_NFS_DRIVER = "nfs.csi.k8s.io"
_VARIABLE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class Needs:
    """`keys` by the store they are in, `hosts` that must resolve and `secured` that must have a certificate.

    `images` by reference, with the names of the pull secrets of the workloads that run them; `directories` by the
    NFS server that has them; `unread`: the files that cannot be read or used.
    """

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    secured: tuple[str, ...] = ()
    images: Mapping[ImageReference, tuple[str, ...]] = field(default_factory=dict)
    directories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def needs(manifests: Manifests) -> Needs:
    """Read what is needed from what the entries apply."""
    applied = list(applied_objects(manifests))
    objects = [item for item in applied if isinstance(item, AppliedObject)]
    roots = [obj.root for obj in objects]
    hosts = list(_hosts(roots))
    return Needs(
        _grouped(_keys(roots)),
        tuple(dict.fromkeys(host for host, _ in hosts)),
        tuple(dict.fromkeys(host for host, is_secured in hosts if is_secured)),
        _images(objects),
        _grouped(mount for mount in _mounts(roots) if all(mount)),
        tuple(dict.fromkeys(item for item in applied if isinstance(item, str))),
    )


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the values of each key, in their order, each once."""
    groups: dict[str, dict[str, None]] = {}
    for key, value in pairs:
        groups.setdefault(key, {})[value] = None
    return {key: tuple(values) for key, values in groups.items()}


def _texts(nodes: Iterable[Node], *path: str) -> list[str]:
    return [value for node in nodes if (value := text(node, *path))]


def _of_kind(objects: Iterable[Node], *kinds: str) -> list[Node]:
    return [root for root in objects if text(root, "kind") in kinds]


def _name(root: Node) -> str:
    return text(root, "metadata", "name")


def _keys(objects: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Yield stores and keys in them, without the stores that the manifests show to be none of Doppler's."""
    stores = _of_kind(objects, "SecretStore", "ClusterSecretStore")
    others = {_name(store) for store in stores if "doppler" not in keys(store, "spec", "provider")}
    for secret in _of_kind(objects, "ExternalSecret", "ClusterExternalSecret"):
        spec = child(secret, "spec", "externalSecretSpec") or child(secret, "spec")
        store = text(spec, "secretStoreRef", "name")
        if store not in others:
            yield from ((store, name) for name in _texts(items(spec, "data"), "remoteRef", "key"))


def _hosts(objects: Sequence[Node]) -> Iterator[tuple[str, bool]]:
    """Yield host names, and whether they are spoken to by TLS; a wildcard is no name that can be looked up."""
    for root in _of_kind(objects, *_ROUTES, "Ingress"):
        if text(root, "kind") == "Ingress":
            names = _texts(items(root, "spec", "rules"), "host")
            secured = [host for entry in items(root, "spec", "tls") for host in _texts(items(entry, "hosts"))]
        else:
            names = secured = _texts(items(root, "spec", "hostnames"))
        yield from ((name, name in secured) for name in names if "*" not in name)


def _pods(objects: Iterable[Node]) -> list[Node]:
    return [pod for root in objects if (pod := pod_of(root))]


def _images(objects: Sequence[AppliedObject]) -> dict[ImageReference, tuple[str, ...]]:
    accounts = {_name(account): account for account in _of_kind((obj.root for obj in objects), "ServiceAccount")}
    secrets_of: dict[ImageReference, tuple[str, ...]] = {}
    for obj in objects:
        secrets = _pull_secrets(pod_of(obj.root), accounts)
        for image in obj.images:
            secrets_of[image] = tuple(dict.fromkeys((*secrets_of.get(image, ()), *secrets)))
    return secrets_of


def _pull_secrets(pod: Node | None, accounts: Mapping[str, Node]) -> list[str]:
    account = accounts.get(text(pod, "serviceAccountName") or "default")
    return _texts(items(pod, "imagePullSecrets") or items(account, "imagePullSecrets"), "name")


def _mounts(objects: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Yield server and path of what volumes mount; of a storage class, a directory for each claim."""
    for volume in _of_kind(objects, "PersistentVolume"):
        if text(volume, "spec", "csi", "driver") == _NFS_DRIVER:
            yield _share(child(volume, "spec", "csi", "volumeAttributes"), {})
        else:
            yield text(volume, "spec", "nfs", "server"), text(volume, "spec", "nfs", "path")
    for storage in _of_kind(objects, "StorageClass"):
        if text(storage, "provisioner") == _NFS_DRIVER:
            claims = [name for name, wanted in _claims(objects) if wanted == _name(storage)]
            yield from (_share(child(storage, "parameters"), {"pvc.metadata.name": name}) for name in claims)
    for pod in _pods(objects):
        yield from ((text(volume, "nfs", "server"), text(volume, "nfs", "path")) for volume in items(pod, "volumes"))


def _claims(objects: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Yield the names of claims, and the storage classes that they want."""
    for root in objects:
        if text(root, "kind") == "PersistentVolumeClaim":
            yield _name(root), text(root, "spec", "storageClassName")
        for claim in items(root, "spec", "volumeClaimTemplates"):
            yield f"{_name(claim)}-{_name(root)}-0", text(claim, "spec", "storageClassName")  # of its first pod


def _share(parameters: Node | None, values: Mapping[str, str]) -> tuple[str, str]:
    """Return server and directory; what only the cluster knows ends the path before it."""
    share, below = text(parameters, "share"), text(parameters, "subDir")
    below = _VARIABLE.sub(lambda variable: values.get(variable[1], variable[0]), below)
    known = below if "${" not in below else below.partition("${")[0].rpartition("/")[0]
    return text(parameters, "server"), f"{share.rstrip('/')}/{known}".rstrip("/") or "/"
