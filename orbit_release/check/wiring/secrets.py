"""The keys that an ExternalSecret fetches are used by somebody, or marked: `secretKey: NAME # reserved: why`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from orbit_release.check.finding import Finding, Group, Rule
from orbit_release.check.wiring.cluster import Cluster, may_meet
from orbit_release.check.wiring.references import Reference, external_name, keys_of, references, replaces
from orbit_release.manifests.nodes import Scalar, items, pairs, scalar, scalars, value_of
from orbit_release.manifests.objects import Object

UNUSED_SECRET_KEY = Rule(
    "unused-secret-key",
    Group.WIRING,
    "A key that is missing in the store keeps the whole Secret back, even one that nobody reads.",
)

_RESERVED = re.compile(r"#\s*reserved:", re.IGNORECASE)
_NAMES = re.compile(r"\w+")
_ALL = re.compile(r"\brange\b|\btoJson\s+\.|\{\{-?\s*\.\s*[|}]")  # a template that takes every key
_TEMPLATE = ("spec", "target", "template", "data")


def uses_of(cluster: Cluster) -> Mapping[str, list[Reference]]:
    """Return what refers to Secrets, by their names."""
    uses: defaultdict[str, list[Reference]] = defaultdict(list)
    for one in (found for pod in cluster.workloads for found in references(pod) if found.kind == "Secret"):
        uses[value_of(one.name)].append(one)
    return uses


def check(cluster: Cluster, everywhere: Cluster, uses: Mapping[str, list[Reference]]) -> Iterator[Finding]:
    """Yield the keys that nobody uses, of Secrets that pods take key by key."""
    for secret in cluster.kind("external-secrets.io", "ExternalSecret"):
        name = external_name(secret)
        own = [one for one in uses.get(name, ()) if may_meet(one.owner.object.namespace, secret.namespace)]
        if own and all(one.key for one in own) and not _is_named(everywhere, name):
            used = {value_of(one.key) for one in own if one.key}
            if not used <= keys_of(secret.root):
                continue  # a name is wrong, and that is told already
            unused = (key for key in _unused(secret, used) if not _RESERVED.search(secret.comment(key)))
            yield from (_finding(secret, name, key) for key in unused)


def _is_named(cluster: Cluster, name: str) -> bool:
    """Whether anything but a pod names the Secret: then nobody knows which keys it takes."""
    others = cluster.kind("", "ServiceAccount") + cluster.kind("networking.k8s.io", "Ingress")
    return cluster.may_make(name) or any(value.value == name for one in others for _, value in scalars(one.root))


def _unused(secret: Object, used: set[str]) -> Iterator[Scalar]:
    templates = pairs(secret.root, *_TEMPLATE)
    said = [value_of(value) for _, value in templates if isinstance(value, Scalar)]
    if any(map(_ALL.search, said)) or items(secret.root, "spec", "target", "template", "templateFrom"):
        return
    spoken = {word for one in said for word in _NAMES.findall(one)}
    for key in (scalar(item, "secretKey") for item in items(secret.root, "spec", "data")):
        reached = spoken if replaces(secret.root) else spoken | used
        if key and value_of(key) not in reached and not spoken.issuperset(_NAMES.findall(value_of(key))):
            yield key
    yield from (key for key, _ in templates if value_of(key) not in used)


def _finding(secret: Object, name: str, key: Scalar) -> Finding:
    path, line = secret.place(key)
    message = f"nobody uses the key {value_of(key)} of Secret {name}"
    return Finding(UNUSED_SECRET_KEY, path, line, message, "remove it, or say `# reserved: why` behind it.")
