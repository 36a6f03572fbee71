"""What the manifests need from their surroundings: secrets, host names, images, and NFS directories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from orbit_release.core.image import Digest, ImageReference, Repository, Tag
from orbit_release.errors import InvalidError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEMPLATE = ("spec", "template", "spec")
_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute")
_NFS_DRIVER = "nfs.csi.k8s.io"
_VARIABLE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class Needs:
    """`keys` by the store they are in, `hosts` that must resolve and `secured` that must have a certificate.

    `images` by reference, with the names of the pull secrets of the workloads that run them; `directories` by the
    NFS server that has them; `unread`: the manifests that are no YAML.
    """

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    secured: tuple[str, ...] = ()
    images: Mapping[ImageReference, tuple[str, ...]] = field(default_factory=dict)
    directories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def needs(manifests: Iterable[tuple[str, bytes]]) -> Needs:
    """Read the manifests, each a path and its bytes."""
    found: list[dict[str, Any]] = []
    unread: list[str] = []
    for path, data in manifests:
        try:
            found += [one for document in yaml.load_all(data, Loader=_LOADER) for one in _items(document)]
        except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that is none, or no UTF-8
            unread.append(path)
    return Needs(
        _keys(found),
        tuple(dict.fromkeys(host for host, _ in _hosts(found))),
        tuple(dict.fromkeys(host for host, secured in _hosts(found) if secured)),
        _images(found),
        _directories(found),
        tuple(unread),
    )


def _items(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item)
    elif isinstance(document, dict):
        yield document


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _each(value: Any, *path: str) -> list[Any]:
    found = _at(value, *path)
    return found if isinstance(found, list) else []


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]


def _keys(documents: Iterable[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the keys of each store, those stores left out that the manifests show to be none of Doppler's."""
    documents = list(documents)
    kinds = ("SecretStore", "ClusterSecretStore")
    stores = [one for one in documents if one.get("kind") in kinds]
    others = {_at(one, "metadata", "name") for one in stores if "doppler" not in (_at(one, "spec", "provider") or {})}
    found: dict[str, dict[str, None]] = {}
    for one in documents:
        if one.get("kind") in ("ExternalSecret", "ClusterExternalSecret"):
            spec = _at(one, "spec", "externalSecretSpec") or one.get("spec")
            store = str(_at(spec, "secretStoreRef", "name") or "")
            keys = _texts(_at(entry, "remoteRef", "key") for entry in _each(spec, "data"))
            if store not in others and keys:
                found.setdefault(store, {}).update(dict.fromkeys(keys))
    return {store: tuple(keys) for store, keys in found.items()}


def _hosts(documents: Iterable[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Yield host names, and whether they are spoken to by TLS; a wildcard is no name that can be looked up."""
    for one in documents:
        secured: list[str] = []
        if one.get("kind") in _ROUTES:
            names = secured = _texts(_each(one, "spec", "hostnames"))
        elif one.get("kind") == "Ingress":
            names = _texts(_at(rule, "host") for rule in _each(one, "spec", "rules"))
            secured = [host for entry in _each(one, "spec", "tls") for host in _texts(_each(entry, "hosts"))]
        else:
            names = []
        yield from ((name, name in secured) for name in names if "*" not in name)


def _pods(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the specifications of pods, wherever a workload keeps them."""
    for one in documents:
        for path in (("spec", "jobTemplate", *_TEMPLATE), _TEMPLATE, ("spec",)):
            pod = _at(one, *path)
            if isinstance(pod, dict) and isinstance(pod.get("containers"), list):
                yield pod
                break


def _images(documents: Iterable[dict[str, Any]]) -> dict[ImageReference, tuple[str, ...]]:
    documents = list(documents)
    accounts = {_at(one, "metadata", "name"): one for one in documents if one.get("kind") == "ServiceAccount"}
    overrides = [entry for one in documents for entry in _each(one, "images") if isinstance(entry, dict)]
    found: dict[ImageReference, tuple[str, ...]] = {}
    for pod in _pods(documents):
        account = accounts.get(pod.get("serviceAccountName") or "default")
        listed = _each(pod, "imagePullSecrets") or _each(account, "imagePullSecrets")
        secrets = tuple(_texts(_at(entry, "name") for entry in listed))
        for name in _texts(_at(one, "image") for kind in ("initContainers", "containers") for one in _each(pod, kind)):
            for image in _deployed(name, overrides):
                found[image] = tuple(dict.fromkeys((*found.get(image, ()), *secrets)))
    return found


def _deployed(name: str, overrides: list[dict[str, Any]]) -> Iterator[ImageReference]:
    """Yield what an image's name becomes by each `images:` of a kustomization that is about it, else as it is."""
    try:
        written = ImageReference.parse(name)
        own = [one for one in overrides if one.get("name") == str(written.repository)]
        yield from (_overridden(written, one) for one in own)
    except InvalidError:  # a placeholder; `check` tells of it
        return
    if not own:
        yield written


def _overridden(image: ImageReference, entry: dict[str, Any]) -> ImageReference:
    repository = Repository(str(entry.get("newName") or image.repository))
    tag, digest = entry.get("newTag"), entry.get("digest")
    if tag is None and digest is None:
        return ImageReference(repository, image.tag, image.digest)
    return ImageReference(repository, Tag(str(tag)) if tag else None, Digest(str(digest)) if digest else None)


def _directories(documents: Iterable[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for server, path in _mounts(list(documents)):
        if isinstance(server, str) and isinstance(path, str):
            found.setdefault(server, {})[path] = None
    return {server: tuple(paths) for server, paths in found.items()}


def _mounts(documents: list[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Yield server and path of what volumes mount; of a storage class, a directory for each claim."""
    for one in documents:
        volume = _at(one, "spec", "csi")
        if one.get("kind") == "PersistentVolume" and _at(volume, "driver") == _NFS_DRIVER:
            yield _share(_at(volume, "volumeAttributes"), {})
        elif one.get("kind") == "PersistentVolume":
            yield _at(one, "spec", "nfs", "server"), _at(one, "spec", "nfs", "path")
        elif one.get("kind") == "StorageClass" and one.get("provisioner") == _NFS_DRIVER:
            claims = [name for name, storage in _claims(documents) if storage == _at(one, "metadata", "name")]
            yield from (_share(one.get("parameters"), {"pvc.metadata.name": name}) for name in claims)
    for pod in _pods(documents):
        yield from ((_at(one, "nfs", "server"), _at(one, "nfs", "path")) for one in _each(pod, "volumes"))


def _claims(documents: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for one in documents:
        if one.get("kind") == "PersistentVolumeClaim":
            yield str(_at(one, "metadata", "name")), _at(one, "spec", "storageClassName")
        for claim in _each(one, "spec", "volumeClaimTemplates"):
            name = f"{_at(claim, 'metadata', 'name')}-{_at(one, 'metadata', 'name')}-0"  # of its first pod
            yield name, _at(claim, "spec", "storageClassName")


def _share(parameters: Any, values: Mapping[str, str]) -> tuple[Any, Any]:
    """Return server and directory; what only the cluster knows ends the path before it."""
    share, below = (_at(parameters, key) or "" for key in ("share", "subDir"))
    below = _VARIABLE.sub(lambda variable: values.get(variable[1], variable[0]), str(below))
    known = below if "${" not in below else below.partition("${")[0].rpartition("/")[0]
    return _at(parameters, "server"), f"{str(share).rstrip('/')}/{known}".rstrip("/") or "/"
