"""Secrets, ConfigMaps and claims: which of them pods name, and what makes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.check.wiring.cluster import Cluster, PodMaker
from orbit_release.check.written_objects import Object
from orbit_release.manifests.texts.yaml_nodes import Node, Scalar, child, items, keys, scalar, text

_ENVIRONMENT = (("secretRef", "secretKeyRef", "Secret"), ("configMapRef", "configMapKeyRef", "ConfigMap"))
_VOLUMES = (
    ("secret", "secretName", "Secret"),
    ("configMap", "name", "ConfigMap"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
)
_PROJECTED = (("secret", "name", "Secret"), ("configMap", "name", "ConfigMap"))


@dataclass(frozen=True, slots=True)
class PodReference:
    """What a pod needs; without a key all of them."""

    owner: PodMaker
    kind: str
    name: Scalar
    key: Scalar | None
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Provider:
    """What makes a Secret, a ConfigMap or a claim; `keys` is None where they are not known."""

    object: Object
    kind: str
    name: str
    keys: frozenset[str] | None = None


def provider_of(obj: Object) -> Provider | None:
    match obj.group, obj.kind:
        case "", "Secret" | "ConfigMap":
            own = {key for field in ("data", "stringData", "binaryData") for key in keys(obj.root, field)}
            return Provider(obj, obj.kind, obj.name, frozenset(own) or None)
        case "", "PersistentVolumeClaim":
            return Provider(obj, obj.kind, obj.name)
        case "external-secrets.io", "ExternalSecret":
            kind = text(obj.root, "spec", "target", "manifest", "kind") or "Secret"
            return Provider(obj, kind, external_name(obj), _external_keys(obj.root))
        case "bitnami.com", "SealedSecret":
            name = text(obj.root, "spec", "template", "metadata", "name") or obj.name
            own = {*keys(obj.root, "spec", "encryptedData"), *keys(obj.root, "spec", "template", "data")}
            return Provider(obj, "Secret", name, frozenset(own) or None)
    return None


def external_name(obj: Object) -> str:
    return text(obj.root, "spec", "target", "name") or obj.name


def replaces_data(root: Node) -> bool:
    """Whether an ExternalSecret's templates take the place of its data, as they do by default."""
    template = child(root, "spec", "target", "template")
    is_there = bool(keys(template, "data") or items(template, "templateFrom"))
    return is_there and text(template, "mergePolicy") != "Merge"


def written_keys(root: Node) -> frozenset[str]:
    template = frozenset(keys(root, "spec", "target", "template", "data"))
    if replaces_data(root):
        return template
    return template | {text(item, "secretKey") for item in items(root, "spec", "data")}


def _external_keys(root: Node) -> frozenset[str] | None:
    """Return the keys of the Secret that an ExternalSecret makes; None where the store decides."""
    if items(root, "spec", "target", "template", "templateFrom") or child(root, "spec", "target", "manifest"):
        return None
    if items(root, "spec", "dataFrom") and not replaces_data(root):
        return None
    return written_keys(root) or None


def references(cluster: Cluster) -> Iterator[PodReference]:
    for maker in cluster.pod_makers:
        yield from _references(maker)


def _references(maker: PodMaker) -> Iterator[PodReference]:
    for container in maker.containers:
        for whole, single, kind in _ENVIRONMENT:
            for entry in items(container, "envFrom"):
                yield from _named(maker, kind, child(entry, whole), "name")
            for entry in items(container, "env"):
                yield from _named(maker, kind, child(entry, "valueFrom", single), "name")
    claims = {text(claim, "metadata", "name") for claim in claim_templates(maker)}
    for volume in items(maker.spec, "volumes"):
        if text(volume, "name") not in claims:
            places = [(volume, _VOLUMES), *((source, _PROJECTED) for source in items(volume, "projected", "sources"))]
            for node, fields in places:
                for field, name, kind in fields:
                    yield from _named(maker, kind, child(node, field), name)


def _named(owner: PodMaker, kind: str, node: Node | None, field: str) -> Iterator[PodReference]:
    """Yield a reference for each key, or for all of them; `field` holds the name."""
    if (name := scalar(node, field)) is None:
        return
    named = filter(None, [scalar(node, "key"), *(scalar(item, "key") for item in items(node, "items"))])
    for key in (*named,) or (None,):
        yield PodReference(owner, kind, name, key, text(node, "optional") == "true")


def claim_templates(maker: PodMaker) -> list[Node]:
    return items(maker.object.root, "spec", "volumeClaimTemplates")
