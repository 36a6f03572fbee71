"""Secrets, ConfigMaps and claims: what pods name must be there, with the keys that they name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.check.finding import Finding, Group, Rule
from orbit_release.check.wiring.cluster import Cluster, Workload, may_meet
from orbit_release.manifests.nodes import Node, Scalar, child, items, keys, scalar, text, value_of
from orbit_release.manifests.objects import Object

MISSING_SECRET = Rule("missing-secret", Group.WIRING, "A pod waits, without an end, for a Secret that nothing makes.")
MISSING_SECRET_KEY = Rule(
    "missing-secret-key", Group.WIRING, "A container does not start without the key that it names."
)
MISSING_CONFIG_MAP = Rule(
    "missing-configmap", Group.WIRING, "A pod waits, without an end, for a ConfigMap that is not there."
)
MISSING_CONFIG_MAP_KEY = Rule(
    "missing-configmap-key", Group.WIRING, "A container does not start without the key that it names."
)
MISSING_CLAIM = Rule("missing-claim", Group.WIRING, "A pod is not scheduled before its volume's claim is there.")

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
class Reference:
    """What a pod needs; without a key all of them."""

    owner: Workload
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


def references(one: Workload) -> Iterator[Reference]:
    """Yield what a workload's pods refer to."""
    for container in one.containers:
        for all_, single, kind in _ENVIRONMENT:
            for entry in items(container, "envFrom"):
                yield from _reference(one, kind, child(entry, all_), "name")
            for entry in items(container, "env"):
                yield from _reference(one, kind, child(entry, "valueFrom", single), "name")
    own = {text(claim, "metadata", "name") for claim in items(one.object.root, "spec", "volumeClaimTemplates")}
    for volume in (found for found in items(one.spec, "volumes") if text(found, "name") not in own):
        for field, name, kind in _VOLUMES:
            yield from _reference(one, kind, child(volume, field), name)
        for source in items(volume, "projected", "sources"):
            for field, name, kind in _PROJECTED:
                yield from _reference(one, kind, child(source, field), name)


def _reference(owner: Workload, kind: str, node: Node | None, field: str) -> Iterator[Reference]:
    if (name := scalar(node, field)) is None:
        return
    named = [scalar(node, "key"), *(scalar(item, "key") for item in items(node, "items"))]
    found: list[Scalar | None] = [key for key in named if key]
    for key in found or [None]:
        yield Reference(owner, kind, name, key, text(node, "optional") == "true")


class Providers:
    """What is there to refer to."""

    def __init__(self, cluster: Cluster) -> None:
        self._all: defaultdict[tuple[str, str], list[Provider]] = defaultdict(list)
        for one in cluster.objects:
            if found := provider(one):
                self._all[found.kind, found.name].append(found)

    def find(self, kind: str, name: str, namespace: str) -> list[Provider]:
        """Return what makes an object."""
        return [one for one in self._all.get((kind, name), ()) if may_meet(one.object.namespace, namespace)]


def provider(one: Object) -> Provider | None:
    """Read what makes a Secret, a ConfigMap or a claim."""
    match one.group, one.kind:
        case "", "Secret" | "ConfigMap":
            found = {*keys(one.root, "data"), *keys(one.root, "stringData"), *keys(one.root, "binaryData")}
            return Provider(one, one.kind, one.name, frozenset(found) or None)
        case "", "PersistentVolumeClaim":
            return Provider(one, one.kind, one.name)
        case "external-secrets.io", "ExternalSecret":
            kind = text(one.root, "spec", "target", "manifest", "kind") or "Secret"
            return Provider(one, kind, external_name(one), _external_keys(one.root))
        case "bitnami.com", "SealedSecret":
            name = text(one.root, "spec", "template", "metadata", "name") or one.name
            found = {*keys(one.root, "spec", "encryptedData"), *keys(one.root, "spec", "template", "data")}
            return Provider(one, "Secret", name, frozenset(found) or None)
    return None


def external_name(one: Object) -> str:
    """Return the name of the Secret that an ExternalSecret makes."""
    return text(one.root, "spec", "target", "name") or one.name


def replaces(root: Node) -> bool:
    """Whether an ExternalSecret's templates take the place of its data, as they do by default."""
    template = child(root, "spec", "target", "template")
    is_there = bool(keys(template, "data") or items(template, "templateFrom"))
    return is_there and text(template, "mergePolicy") != "Merge"


def keys_of(root: Node) -> frozenset[str]:
    """Return the keys that an ExternalSecret is written to make."""
    template = frozenset(keys(root, "spec", "target", "template", "data"))
    return template if replaces(root) else template | {text(item, "secretKey") for item in items(root, "spec", "data")}


def _external_keys(root: Node) -> frozenset[str] | None:
    """Return the keys of the Secret that an ExternalSecret makes; None where the store decides."""
    if items(root, "spec", "target", "template", "templateFrom") or child(root, "spec", "target", "manifest"):
        return None
    if items(root, "spec", "dataFrom") and not replaces(root):
        return None
    return keys_of(root) or None


def check(cluster: Cluster, everywhere: Cluster, providers: Providers) -> Iterator[Finding]:
    """Yield what pods refer to and do not find, in their application or in another one."""
    claims = {name for one in cluster.workloads for name in _own_claims(one)}
    is_complete = _declares_secrets(cluster)
    for reference in (found for one in cluster.workloads for found in references(one)):
        if not reference.is_optional and not _is_unknown(value_of(reference.name)):
            is_known = cluster.is_whole and (is_complete or reference.kind != "Secret")
            yield from _check(reference, everywhere, providers, claims, is_known=is_known)


def _declares_secrets(cluster: Cluster) -> bool:
    """Whether the Secrets of an application are declared: some of them are, and none of its programs makes others."""
    is_declared = any(found and found.kind == "Secret" for found in map(provider, cluster.objects))
    return is_declared and not any(map(_may_make_secrets, cluster.kind(_RBAC, "Role", "ClusterRole")))


def _may_make_secrets(role: Object) -> bool:
    allowed = ({*map(text, items(rule, "resources"))} for rule in items(role.root, "rules") if _MAKES & _verbs(rule))
    return any(_SECRETS & resources for resources in allowed)


def _verbs(rule: Node) -> set[str]:
    return {*map(text, items(rule, "verbs"))}


def _check(
    reference: Reference, cluster: Cluster, providers: Providers, claims: set[str], *, is_known: bool
) -> Iterator[Finding]:
    name, namespace = value_of(reference.name), reference.owner.object.namespace
    found = providers.find(reference.kind, name, namespace)
    if found and reference.key is not None:
        yield from _check_key(reference, reference.key, found)
    elif not found and is_known and name not in claims | _EVERYWHERE and not cluster.may_make(name):
        message = f"{reference.owner} needs the {reference.kind} {name}, and no manifest makes it"
        fix = f"add {name}, or correct the name"
        fix += "." if "Claim" in reference.kind else ", or write `optional: true` where the pod can do without."
        yield Finding(_RULES[reference.kind][0], *reference.owner.object.place(reference.name), message, fix)


def _check_key(reference: Reference, key: Scalar, found: list[Provider]) -> Iterator[Finding]:
    known = [one.keys for one in found if one.keys is not None]
    if len(known) < len(found) or any(value_of(key) in one for one in known):
        return
    made = found[0].object
    message = (
        f"{reference.owner} needs the key {value_of(key)} of {reference.kind} {found[0].name}, and {made} has none"
    )
    fix = f"add the key to {made.path}, or take one of: {', '.join(sorted(frozenset().union(*known)))}."
    yield Finding(_RULES[reference.kind][1], *reference.owner.object.place(key), message, fix)


def _own_claims(one: Workload) -> Iterator[str]:
    """Yield the names that a StatefulSet's own claims get."""
    for claim in items(one.object.root, "spec", "volumeClaimTemplates"):
        count = text(one.object.root, "spec", "replicas") or "1"
        for at in range(min(int(count), 100) if count.isdecimal() else 1):
            yield f"{text(claim, 'metadata', 'name')}-{one.object.name}-{at}"


def _is_unknown(name: str) -> bool:
    """Whether a name is put in by something else."""
    return "$" in name or "{" in name
