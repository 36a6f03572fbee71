"""The `replacements:` of a kustomization: which images they write is told, what they write is not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orbit_release.manifests.kustomize.fields import Fields
from orbit_release.manifests.kustomize.reading import Reading
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import Node, Path, SequenceNode

_STEP = re.compile(r"\[[^\]]*\]|(?:\\.|[^.\\\[])+")
_NAMED = re.compile(r"\[(?P<key>[^=\]]*)=(?P<value>[^\]]*)\]")


def mark_replaced(pool: Pool, replacement: Fields, reading: Reading) -> None:
    """Make every image uncertain that a replacement may write; InvalidError where it cannot be read."""
    for target in replacement.mappings("targets"):
        select, paths = target.mapping("select"), list(target.strings("fieldPaths"))
        for resource in pool:
            if select is None or _may_select(select, resource):
                for written in paths:
                    _mark(resource, written.value, f"{written.where}: a replacement writes this image", pool, reading)


def _may_select(select: Fields, resource: Resource) -> bool:
    wanted = [(name, select.string(name)) for name in ("group", "version", "kind", "name", "namespace")]
    return any(
        all(not text or text == (getattr(known, name) or "default") for name, text in wanted) for known in resource.ids
    )


def _mark(resource: Resource, path: str, why: str, pool: Pool, reading: Reading) -> None:
    steps = _STEP.findall(path)
    for image in resource.fields(reading.specs, pool.image_specs):
        if _leads_to(resource.root, steps, image.path):
            resource.values[id(image.scalar)] = resource.value(image).but_unclear(why)


def _leads_to(root: Node, steps: Sequence[str], path: Path) -> bool:
    """Whether steps of a field path lead to a field, or to what it lies in."""
    node: Node | None = root
    if len(steps) > len(path):
        return False
    for step, key in zip(steps, path, strict=False):
        if isinstance(node, SequenceNode) and isinstance(key, int):
            if not _is_item(node, step, key):
                return False
            node = node[key] if key < len(node) else None
        elif step not in ("*", key) and step.replace("\\", "") != key:
            return False
        else:
            node = nodes.child(node, str(key))
    return True


def _is_item(items: SequenceNode, step: str, number: int) -> bool:
    if match := _NAMED.fullmatch(step):
        return nodes.text(items[number], match["key"]) == match["value"]
    return step in ("*", "-", str(number), "[]")
