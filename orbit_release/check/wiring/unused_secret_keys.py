"""The keys that an ExternalSecret fetches are used by somebody, or marked: `secretKey: NAME # reserved: why`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from orbit_release.check.finding import Finding, Group
from orbit_release.check.objects import Object
from orbit_release.check.wiring.cluster import Cluster, may_be_same
from orbit_release.check.wiring.pod_references import (
    PodReference,
    external_name,
    pod_references,
    replaces_data,
    written_keys,
)
from orbit_release.manifests.nodes import Scalar, items, pairs, scalar, scalars, value_of

UNUSED_SECRET_KEY = Group.WIRING.rule(
    "unused-secret-key", "A key that is missing in the store keeps the whole Secret back, even one that nobody reads."
)

_RESERVED = re.compile(r"#\s*reserved:", re.IGNORECASE)
_NAMES = re.compile(r"\w+")
_TAKES_ALL = re.compile(r"\brange\b|\btoJson\s+\.|\{\{-?\s*\.\s*[|}]")  # a template that takes every key


def secret_uses(cluster: Cluster) -> Mapping[str, list[PodReference]]:
    uses: defaultdict[str, list[PodReference]] = defaultdict(list)
    for reference in (each for maker in cluster.pod_makers for each in pod_references(maker)):
        if reference.kind == "Secret":
            uses[value_of(reference.name)].append(reference)
    return uses


def check_secret_keys(group: Cluster, everywhere: Cluster, uses: Mapping[str, list[PodReference]]) -> Iterator[Finding]:
    """Yield the keys that nobody uses, of Secrets that pods take key by key."""
    for secret in group.of_kind("external-secrets.io", "ExternalSecret"):
        name = external_name(secret)
        own = [use for use in uses.get(name, ()) if may_be_same(use.owner.object.namespace, secret.namespace)]
        if own and all(use.key for use in own) and not _is_named(everywhere, name):
            used = {value_of(use.key) for use in own if use.key}
            if not used <= written_keys(secret.root):
                continue  # a name is wrong, and that is told already
            unused = (key for key in _unused(secret, used) if not _RESERVED.search(secret.comment(key)))
            yield from (_finding(secret, name, key) for key in unused)


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
    reached = templated if replaces_data(secret.root) else templated | used
    for key in (scalar(item, "secretKey") for item in items(secret.root, "spec", "data")):
        if key and value_of(key) not in reached and not templated.issuperset(_NAMES.findall(value_of(key))):
            yield key
    yield from (key for key, _ in templates if value_of(key) not in used)


def _finding(secret: Object, name: str, key: Scalar) -> Finding:
    message = f"nobody uses the key {value_of(key)} of Secret {name}"
    fix = "remove it, or say `# reserved: why` behind it."
    return Finding(UNUSED_SECRET_KEY, *secret.place(key), message, fix)
