"""What the manifests need from their surroundings: secrets, host names, images, and NFS directories."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.documents import Document, at, each, images, pod_place, read_documents

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
    found: list[Document] = []
    unread: list[str] = []
    for path, data in manifests:
        read = read_documents(data)
        found += read or ()
        unread += [path] if read is None else []
    return Needs(
        _keys(found),
        tuple(dict.fromkeys(host for host, _ in _hosts(found))),
        tuple(dict.fromkeys(host for host, secured in _hosts(found) if secured)),
        _images(found),
        _directories(found),
        tuple(unread),
    )


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]


def _keys(documents: Sequence[Document]) -> dict[str, tuple[str, ...]]:
    """Return the keys of each store, those stores left out that the manifests show to be none of Doppler's."""
    kinds = ("SecretStore", "ClusterSecretStore")
    stores = [one for one in documents if one.get("kind") in kinds]
    others = {at(one, "metadata", "name") for one in stores if "doppler" not in (at(one, "spec", "provider") or {})}
    found: dict[str, dict[str, None]] = {}
    for one in documents:
        if one.get("kind") in ("ExternalSecret", "ClusterExternalSecret"):
            spec = at(one, "spec", "externalSecretSpec") or one.get("spec")
            store = str(at(spec, "secretStoreRef", "name") or "")
            keys = _texts(at(entry, "remoteRef", "key") for entry in each(spec, "data"))
            if store not in others and keys:
                found.setdefault(store, {}).update(dict.fromkeys(keys))
    return {store: tuple(keys) for store, keys in found.items()}


def _hosts(documents: Sequence[Document]) -> Iterator[tuple[str, bool]]:
    """Yield host names, and whether they are spoken to by TLS; a wildcard is no name that can be looked up."""
    for one in documents:
        secured: list[str] = []
        if one.get("kind") in _ROUTES:
            names = secured = _texts(each(one, "spec", "hostnames"))
        elif one.get("kind") == "Ingress":
            names = _texts(at(rule, "host") for rule in each(one, "spec", "rules"))
            secured = [host for entry in each(one, "spec", "tls") for host in _texts(each(entry, "hosts"))]
        else:
            names = []
        yield from ((name, name in secured) for name in names if "*" not in name)


def _pods(documents: Sequence[Document]) -> list[Any]:
    """Return the specifications of pods, wherever a workload keeps them."""
    return [at(one, *place) for one in documents if (place := pod_place(one))]


def _images(documents: Sequence[Document]) -> dict[ImageReference, tuple[str, ...]]:
    accounts = {at(one, "metadata", "name"): one for one in documents if one.get("kind") == "ServiceAccount"}
    overrides = [entry for one in documents for entry in each(one, "images") if isinstance(entry, dict)]
    found: dict[ImageReference, tuple[str, ...]] = {}
    for pod in _pods(documents):
        account = accounts.get(pod.get("serviceAccountName") or "default")
        listed = each(pod, "imagePullSecrets") or each(account, "imagePullSecrets")
        secrets = tuple(_texts(at(entry, "name") for entry in listed))
        for name in filter(None, images(pod)):
            for image in _deployed(name, overrides):
                found[image] = tuple(dict.fromkeys((*found.get(image, ()), *secrets)))
    return found


def _deployed(name: str, overrides: list[Document]) -> Iterator[ImageReference]:
    """Yield what an image's name becomes by each `images:` of a kustomization that is about it, else as it is."""
    try:
        written = ImageReference.parse(name)
        own = [one for one in overrides if one.get("name") == str(written.repository)]
        yield from (_overridden(written, one) for one in own)
    except InvalidError:  # a placeholder; `check` tells of it
        return
    if not own:
        yield written


def _overridden(image: ImageReference, entry: Document) -> ImageReference:
    repository = Repository(str(entry.get("newName") or image.repository))
    tag, digest = entry.get("newTag"), entry.get("digest")
    if tag is None and digest is None:
        return ImageReference(repository, image.tag, image.digest)
    return ImageReference(repository, Tag(str(tag)) if tag else None, Digest(str(digest)) if digest else None)


def _directories(documents: Sequence[Document]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for server, path in _mounts(documents):
        if isinstance(server, str) and isinstance(path, str):
            found.setdefault(server, {})[path] = None
    return {server: tuple(paths) for server, paths in found.items()}


def _mounts(documents: Sequence[Document]) -> Iterator[tuple[Any, Any]]:
    """Yield server and path of what volumes mount; of a storage class, a directory for each claim."""
    for one in documents:
        volume = at(one, "spec", "csi")
        if one.get("kind") == "PersistentVolume" and at(volume, "driver") == _NFS_DRIVER:
            yield _share(at(volume, "volumeAttributes"), {})
        elif one.get("kind") == "PersistentVolume":
            yield at(one, "spec", "nfs", "server"), at(one, "spec", "nfs", "path")
        elif one.get("kind") == "StorageClass" and one.get("provisioner") == _NFS_DRIVER:
            claims = [name for name, storage in _claims(documents) if storage == at(one, "metadata", "name")]
            yield from (_share(one.get("parameters"), {"pvc.metadata.name": name}) for name in claims)
    for pod in _pods(documents):
        yield from ((at(one, "nfs", "server"), at(one, "nfs", "path")) for one in each(pod, "volumes"))


def _claims(documents: Sequence[Document]) -> Iterator[tuple[str, Any]]:
    for one in documents:
        if one.get("kind") == "PersistentVolumeClaim":
            yield str(at(one, "metadata", "name")), at(one, "spec", "storageClassName")
        for claim in each(one, "spec", "volumeClaimTemplates"):
            name = f"{at(claim, 'metadata', 'name')}-{at(one, 'metadata', 'name')}-0"  # of its first pod
            yield name, at(claim, "spec", "storageClassName")


def _share(parameters: Any, values: Mapping[str, str]) -> tuple[Any, Any]:
    """Return server and directory; what only the cluster knows ends the path before it."""
    share, below = (at(parameters, key) or "" for key in ("share", "subDir"))
    below = _VARIABLE.sub(lambda variable: values.get(variable[1], variable[0]), str(below))
    known = below if "${" not in below else below.partition("${")[0].rpartition("/")[0]
    return at(parameters, "server"), f"{str(share).rstrip('/')}/{known}".rstrip("/") or "/"
