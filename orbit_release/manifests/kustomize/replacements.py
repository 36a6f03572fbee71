"""The `replacements:` of a kustomization: which images they write is told, what they write is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orbit_release.manifests.kustomize.fields import Fields
from orbit_release.manifests.kustomize.reading import Reading
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import Node, Path, SequenceNode

_STEP = re.compile(r"\[[^\]]*\]|(?:\\.|[^.\\\[])+")
_NAMED = re.compile(r"\[(?P<key>[^=\]]*)=(?P<value>[^\]]*)\]")
_PLAIN = re.compile(r"[\w./:@-]*", re.ASCII)
_ENDS = ("image", "reference")  # what the path of an image ends with


@dataclass(frozen=True, slots=True)
class _TargetField:
    """A field path of a target; `may_bring`: images may come with it that stand nowhere yet."""

    where: str
    steps: Sequence[str]
    may_bring: bool


def mark_replaced(pool: Pool, replacement: Fields, reading: Reading) -> None:
    """Make every image uncertain that a replacement may write, and tell of those that it may bring.

    InvalidError where it cannot be read.
    """
    source = replacement.mapping("source")
    copies = source is not None and any(map(_holds_images, _sources(pool, source)))
    for target in replacement.mappings("targets"):
        select, fields = target.mapping("select"), list(_fields(target, copies=copies))
        for resource in pool:
            if select is None or _may_select(select, resource):
                for field in fields:
                    _mark(resource, field, pool, reading)


def _fields(target: Fields, *, copies: bool) -> Iterator[_TargetField]:
    options = target.mapping("options")
    creates = options is not None and options.is_true("create")
    for written in target.strings("fieldPaths"):
        steps = _STEP.findall(written.value)
        yield _TargetField(written.where, steps, copies or (creates and bool(steps) and steps[-1] in _ENDS))


def _sources(pool: Pool, source: Fields) -> Iterator[Node]:
    """Yield what a source may copy."""
    steps = _STEP.findall(source.string("fieldPath") or "metadata.name")
    for resource in pool:
        if _may_select(source, resource):
            yield from _below(resource.root, steps)


def _below(node: Node, steps: Sequence[str]) -> Iterator[Node]:
    if not steps:
        yield node
    elif isinstance(node, SequenceNode):
        for number, item in enumerate(node):
            if _is_item(item, steps[0], number):
                yield from _below(item, steps[1:])
    elif (below := nodes.child(node, steps[0].replace("\\", ""))) is not None:
        yield from _below(below, steps[1:])


def _holds_images(node: Node) -> bool:
    return any(path and path[-1] in _ENDS for path, _ in nodes.scalars(node))


def _may_select(select: Fields, resource: Resource) -> bool:
    wanted = [(name, select.string(name)) for name in ("group", "version", "kind", "name", "namespace")]
    return any(
        all(not text or _may_be(text, getattr(known, name) or "default") for name, text in wanted)
        for known in resource.ids
    )


def _may_be(wanted: str, text: str) -> bool:
    """Whether a selector may mean a text: newer versions of kustomize take it for a regular expression."""
    return not _PLAIN.fullmatch(wanted) or re.fullmatch(wanted, text) is not None


def _mark(resource: Resource, target: _TargetField, pool: Pool, reading: Reading) -> None:
    images = resource.fields(reading.specs, pool.image_specs)
    written = [image for image in images if _leads_to(resource.root, target.steps, image.path)]
    for image in written:
        why = f"{target.where}: a replacement writes this image"
        resource.values[id(image.scalar)] = resource.value(image).but_unclear(why)
    is_there = bool(target.steps) and target.steps[-1] in _ENDS and written
    if target.may_bring and not is_there:
        reading.not_seen(f"{target.where}: the images that a replacement brings cannot be seen here")


def _leads_to(root: Node, steps: Sequence[str], path: Path) -> bool:
    """Whether steps of a field path lead to a field, or to what it lies in."""
    node: Node | None = root
    if len(steps) > len(path):
        return False
    for step, key in zip(steps, path, strict=False):
        if isinstance(node, SequenceNode) and isinstance(key, int):
            item = node[key] if key < len(node) else None
            if not _is_item(item, step, key):
                return False
            node = item
        elif step not in ("*", key) and step.replace("\\", "") != key:
            return False
        else:
            node = nodes.child(node, str(key))
    return True


def _is_item(item: Node | None, step: str, number: int) -> bool:
    """Whether a step may lead to an item; the value in `[name=value]` is a regular expression of a part of it."""
    if match := _NAMED.fullmatch(step):
        value = match["value"]
        return not _PLAIN.fullmatch(value) or re.search(value, nodes.text(item, match["key"])) is not None
    return step in ("*", "-", str(number), "[]")
