"""Secrets, ConfigMaps and claims: what pods name must be there, with the keys that they name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orbit_release.check.finding import Finding, Group
from orbit_release.check.objects import Object
from orbit_release.check.wiring.cluster import Cluster, PodMaker, may_be_same
from orbit_release.manifests.nodes import Node, Scalar, child, items, keys, scalar, text, value_of

MISSING_SECRET = Group.WIRING.rule("missing-secret", "A pod waits, without an end, for a Secret that nothing makes.")
MISSING_SECRET_KEY = Group.WIRING.rule(
    "missing-secret-key", "A container does not start without the key that it names."
)
MISSING_CONFIG_MAP = Group.WIRING.rule(
    "missing-configmap", "A pod waits, without an end, for a ConfigMap that is not there."
)
MISSING_CONFIG_MAP_KEY = Group.WIRING.rule(
    "missing-configmap-key", "A container does not start without the key that it names."
)
MISSING_CLAIM = Group.WIRING.rule("missing-claim", "A pod is not scheduled before its volume's claim is there.")

_RBAC = "rbac.authorization.k8s.io"
_MAKES = {"create", "*"}
_SECRETS = {"secrets", "*"}
_EVERYWHERE = {"kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt"}
_RULES = {
    "Secret": (MISSING_SECRET, MISSING_SECRET_KEY),
    "ConfigMap": (MISSING_CONFIG_MAP, MISSING_CONFIG_MAP_KEY),
    "PersistentVolumeClaim": (MISSING_CLAIM, MISSING_CLAIM),
}
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


class Providers:
    def __init__(self, cluster: Cluster) -> None:
        self._by_name: defaultdict[tuple[str, str], list[Provider]] = defaultdict(list)
        for provider in filter(None, map(provider_of, cluster.objects)):
            self._by_name[provider.kind, provider.name].append(provider)

    def find(self, kind: str, name: str, namespace: str) -> list[Provider]:
        named = self._by_name.get((kind, name), ())
        return [provider for provider in named if may_be_same(provider.object.namespace, namespace)]


def provider_of(obj: Object) -> Provider | None:
    """Return what an object makes, if that is a Secret, a ConfigMap or a claim."""
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
    """Return the keys that an ExternalSecret is written to make."""
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


def pod_references(maker: PodMaker) -> Iterator[PodReference]:
    for container in maker.containers:
        for whole, single, kind in _ENVIRONMENT:
            for entry in items(container, "envFrom"):
                yield from _named(maker, kind, child(entry, whole), "name")
            for entry in items(container, "env"):
                yield from _named(maker, kind, child(entry, "valueFrom", single), "name")
    claims = {text(claim, "metadata", "name") for claim in _claim_templates(maker)}
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
    keys_or_all: Sequence[Scalar | None] = list(named) or [None]
    for key in keys_or_all:
        yield PodReference(owner, kind, name, key, text(node, "optional") == "true")


def _claim_templates(maker: PodMaker) -> list[Node]:
    return items(maker.object.root, "spec", "volumeClaimTemplates")


def check_references(group: Cluster, everywhere: Cluster, providers: Providers) -> Iterator[Finding]:
    """Yield what the pods of a group refer to and do not find, in this group or in another one."""
    claims = {name for maker in group.pod_makers for name in _own_claims(maker)}
    is_complete = _declares_secrets(group)
    for reference in (each for maker in group.pod_makers for each in pod_references(maker)):
        name = value_of(reference.name)
        if reference.is_optional or "$" in name or "{" in name:  # something else puts the name in
            continue
        providing = providers.find(reference.kind, name, reference.owner.object.namespace)
        is_known = group.is_whole and (is_complete or reference.kind != "Secret")
        is_there = name in claims or name in _EVERYWHERE
        if providing and reference.key is not None:
            yield from _check_key(reference, reference.key, providing)
        elif not (providing or is_there) and is_known and not everywhere.may_make(name):
            yield _missing(reference, name)


def _declares_secrets(group: Cluster) -> bool:
    """Whether the Secrets of a group are declared: some of them are, and none of its programs makes others."""
    is_declared = any(provider and provider.kind == "Secret" for provider in map(provider_of, group.objects))
    return is_declared and not any(map(_may_make_secrets, group.of_kind(_RBAC, "Role", "ClusterRole")))


def _may_make_secrets(role: Object) -> bool:
    rules = items(role.root, "rules")
    return any(_MAKES & _texts(rule, "verbs") and _SECRETS & _texts(rule, "resources") for rule in rules)


def _texts(node: Node, field: str) -> set[str]:
    return {*map(text, items(node, field))}


def _missing(reference: PodReference, name: str) -> Finding:
    message = f"{reference.owner} needs the {reference.kind} {name}, and no manifest makes it"
    fix = f"add {name}, or correct the name"
    fix += "." if "Claim" in reference.kind else ", or write `optional: true` where the pod can do without."
    return Finding(_RULES[reference.kind][0], *reference.owner.object.place(reference.name), message, fix)


def _check_key(reference: PodReference, key: Scalar, providers: list[Provider]) -> Iterator[Finding]:
    known = [provider.keys for provider in providers if provider.keys is not None]
    if len(known) < len(providers) or any(value_of(key) in own for own in known):
        return
    made = providers[0].object
    what = f"the key {value_of(key)} of {reference.kind} {providers[0].name}"
    fix = f"add the key to {made.path}, or take one of: {', '.join(sorted(frozenset().union(*known)))}."
    message = f"{reference.owner} needs {what}, and {made} has none"
    yield Finding(_RULES[reference.kind][1], *reference.owner.object.place(key), message, fix)


def _own_claims(maker: PodMaker) -> Iterator[str]:
    """Yield the names that a StatefulSet's own claims get."""
    root = maker.object.root
    replicas = text(root, "spec", "replicas") or "1"
    for claim in _claim_templates(maker):
        for number in range(min(int(replicas), 100) if replicas.isdecimal() else 1):
            yield f"{text(claim, 'metadata', 'name')}-{maker.object.name}-{number}"
