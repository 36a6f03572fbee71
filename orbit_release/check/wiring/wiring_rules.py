"""The rules of the group `wiring`: what objects refer to is there once everything is applied, and is used.

A key that an ExternalSecret fetches for somebody unseen is marked: `secretKey: NAME # reserved: why`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from orbit_release.check.finding import Finding, Group, unique_findings
from orbit_release.check.wiring import pod_references
from orbit_release.check.wiring.cluster import Cluster, PodMaker, may_be_same
from orbit_release.check.wiring.pod_references import PodReference, Provider, provider_of, references
from orbit_release.check.wiring.rendered_groups import REFUSED_KUSTOMIZATION
from orbit_release.check.written_objects import Object
from orbit_release.manifests.texts.yaml_nodes import Node, Scalar, items, pairs, scalar, scalars, text, value_of

_rule = Group.WIRING.rule
MISSING_SECRET = _rule("missing-secret", "A pod waits, without an end, for a Secret that nothing makes.")
MISSING_SECRET_KEY = _rule("missing-secret-key", "A container does not start without the key that it names.")
MISSING_CONFIG_MAP = _rule("missing-configmap", "A pod waits, without an end, for a ConfigMap that is not there.")
MISSING_CONFIG_MAP_KEY = _rule("missing-configmap-key", "A container does not start without the key that it names.")
MISSING_CLAIM = _rule("missing-claim", "A pod is not scheduled before its volume's claim is there.")
UNUSED_SECRET_KEY = _rule(
    "unused-secret-key", "A key that is missing in the store keeps the whole Secret back, even one that nobody reads."
)
_MISSING = (MISSING_SECRET, MISSING_SECRET_KEY, MISSING_CONFIG_MAP, MISSING_CONFIG_MAP_KEY, MISSING_CLAIM)
RULES = (REFUSED_KUSTOMIZATION, *_MISSING, UNUSED_SECRET_KEY)

_RBAC = "rbac.authorization.k8s.io"
_EVERYWHERE = {"kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt"}
_RULES = {
    "Secret": (MISSING_SECRET, MISSING_SECRET_KEY),
    "ConfigMap": (MISSING_CONFIG_MAP, MISSING_CONFIG_MAP_KEY),
    "PersistentVolumeClaim": (MISSING_CLAIM, MISSING_CLAIM),
}
_RESERVED = re.compile(r"#\s*reserved:", re.IGNORECASE)
_NAMES = re.compile(r"\w+")
_TAKES_ALL = re.compile(r"\brange\b|\btoJson\s+\.|\{\{-?\s*\.\s*[|}]")  # a template that takes every key
_Providers = Mapping[tuple[str, str], list[Provider]]  # by kind and name


def check_wiring(groups: Sequence[Cluster]) -> list[Finding]:
    """Return what is wrong between each group's objects; what another group of the namespace makes is there as well."""
    everywhere = Cluster(obj for group in groups for obj in group.objects)
    providers: defaultdict[tuple[str, str], list[Provider]] = defaultdict(list)
    for provider in filter(None, map(provider_of, everywhere.objects)):
        providers[provider.kind, provider.name].append(provider)
    uses: defaultdict[str, list[PodReference]] = defaultdict(list)
    for reference in references(everywhere):
        if reference.kind == "Secret":
            uses[value_of(reference.name)].append(reference)
    findings: list[Finding] = []
    for group in groups:
        findings += _check_references(group, everywhere, providers)
        findings += _check_secret_keys(group, everywhere, uses)
    return unique_findings(findings)


def _check_references(group: Cluster, everywhere: Cluster, providers: _Providers) -> Iterator[Finding]:
    """Yield what the pods of a group refer to and do not find, in this group or in another one."""
    claims = {name for maker in group.pod_makers for name in _own_claims(maker)}
    is_complete = _declares_secrets(group)
    for reference in references(group):
        name, namespace = value_of(reference.name), reference.owner.object.namespace
        if reference.is_optional or "$" in name or "{" in name:  # something else puts the name in
            continue
        named = providers.get((reference.kind, name), ())
        providing = [provider for provider in named if may_be_same(provider.object.namespace, namespace)]
        is_known = group.is_whole and (is_complete or reference.kind != "Secret")
        is_there = name in claims or name in _EVERYWHERE
        if providing and reference.key is not None:
            yield from _check_key(reference, reference.key, providing)
        elif not (providing or is_there) and is_known and not everywhere.may_make(name):
            message = f"{reference.owner} needs the {reference.kind} {name}, and no manifest makes it"
            fix = f"add {name}, or correct the name"
            fix += "." if "Claim" in reference.kind else ", or write `optional: true` where the pod can do without."
            yield Finding(_RULES[reference.kind][0], *reference.owner.object.place(reference.name), message, fix)


def _declares_secrets(group: Cluster) -> bool:
    """Whether the Secrets of a group are declared: some of them are, and none of its programs makes others."""
    is_declared = any(provider and provider.kind == "Secret" for provider in map(provider_of, group.objects))
    roles = group.of_kind(_RBAC, "Role", "ClusterRole")
    rules = [(_texts(rule, "verbs"), _texts(rule, "resources")) for role in roles for rule in items(role.root, "rules")]
    return is_declared and not any(verbs & {"create", "*"} and what & {"secrets", "*"} for verbs, what in rules)


def _texts(node: Node, field: str) -> set[str]:
    return {*map(text, items(node, field))}


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
    replicas = text(maker.object.root, "spec", "replicas") or "1"
    for claim in pod_references.claim_templates(maker):
        for number in range(min(int(replicas), 100) if replicas.isdecimal() else 1):
            yield f"{text(claim, 'metadata', 'name')}-{maker.object.name}-{number}"


def _check_secret_keys(
    group: Cluster, everywhere: Cluster, uses: Mapping[str, list[PodReference]]
) -> Iterator[Finding]:
    """Yield the keys that nobody uses, of Secrets that pods take key by key."""
    for secret in group.of_kind("external-secrets.io", "ExternalSecret"):
        name = pod_references.external_name(secret)
        own = [use for use in uses.get(name, ()) if may_be_same(use.owner.object.namespace, secret.namespace)]
        used = {value_of(use.key) for use in own if use.key}
        if not own or not all(use.key for use in own) or _is_named(everywhere, name):
            continue
        if not used <= pod_references.written_keys(secret.root):
            continue  # a name is wrong, and that is told already
        for key in _unused(secret, used):
            if not _RESERVED.search(secret.comment(key)):
                message = f"nobody uses the key {value_of(key)} of Secret {name}"
                fix = "remove it, or say `# reserved: why` behind it."
                yield Finding(UNUSED_SECRET_KEY, *secret.place(key), message, fix)


def _is_named(cluster: Cluster, name: str) -> bool:
    """Whether anything but a pod names the Secret: then nobody knows which keys it takes."""
    others = cluster.of_kind("", "ServiceAccount") + cluster.of_kind("networking.k8s.io", "Ingress")
    return cluster.may_make(name) or any(value.value == name for obj in others for _, value in scalars(obj.root))


def _unused(secret: Object, used: set[str]) -> Iterator[Scalar]:
    templates = pairs(secret.root, "spec", "target", "template", "data")
    texts = [value_of(value) for _, value in templates if isinstance(value, Scalar)]
    if any(map(_TAKES_ALL.search, texts)) or items(secret.root, "spec", "target", "template", "templateFrom"):
        return
    templated = {word for text in texts for word in _NAMES.findall(text)}
    reached = templated if pod_references.replaces_data(secret.root) else templated | used
    for key in (scalar(item, "secretKey") for item in items(secret.root, "spec", "data")):
        if key and value_of(key) not in reached and not templated.issuperset(_NAMES.findall(value_of(key))):
            yield key
    yield from (key for key, _ in templates if value_of(key) not in used)
