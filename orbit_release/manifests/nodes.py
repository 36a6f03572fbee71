"""Reading YAML nodes: what a path of keys leads to, with YAML's merges, and the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yaml.events import ScalarEvent

from orbit_release.manifests.splice import Mapping, Node, Sequence, is_plain, value_of

_NULLS = ("", "~", "null", "Null", "NULL")
_MERGE = "<<"

Path = tuple[str | int, ...]  # keys, and the numbers of items


def child(node: Node | None, *path: str) -> Node | None:
    """Return what a path of keys leads to; None where it ends early."""
    for key in path:
        own = _own(node, key)
        node = _merged(node, key) if own is None else own
    return node


def items(node: Node | None, *path: str) -> list[Node]:
    """Return the items of the sequence that a path leads to; none where there is no sequence."""
    found = child(node, *path)
    return list(found) if isinstance(found, Sequence) else []


def scalar(node: Node | None, *path: str) -> ScalarEvent | None:
    """Return the scalar that a path leads to; None for null, and where there is none."""
    found = child(node, *path)
    if not isinstance(found, ScalarEvent) or (is_plain(found) and found.value in _NULLS):
        return None
    return found


def text(node: Node | None, *path: str) -> str:
    """Return the text of the scalar that a path leads to; "" where there is none."""
    found = scalar(node, *path)
    return value_of(found) if found else ""


def pairs(node: Node | None, *path: str) -> list[tuple[ScalarEvent, Node]]:
    """Return the keys and values of the mapping that a path leads to, merged ones included."""
    found = child(node, *path)
    return list(_pairs(found)) if isinstance(found, Mapping) else []


def texts(node: Node | None, *path: str) -> dict[str, str]:
    """Return a mapping of texts, such as labels."""
    return {key.value: text(value) for key, value in pairs(node, *path)}


def keys(node: Node | None, *path: str) -> list[str]:
    """Return the keys of the mapping that a path leads to."""
    return [key.value for key, _ in pairs(node, *path)]


def line(node: Node | None) -> int:
    """Return the 1-based line that a node starts on; an empty collection has none, and says 1."""
    while not isinstance(node, ScalarEvent):
        if not node:
            return 1
        node = node[0]
    mark: Any = node.start_mark
    return int(mark.line) + 1


def scalars(root: Node) -> Iterator[tuple[Path, ScalarEvent]]:
    """Yield every value below a node with the path to it, each collection once."""
    seen: set[int] = set()
    open_: list[tuple[Path, Node]] = [((), root)]
    while open_:
        path, node = open_.pop()
        if isinstance(node, ScalarEvent):
            yield path, node
        elif id(node) not in seen:
            seen.add(id(node))
            open_.extend(reversed(list(_below(path, node))))


def _below(path: Path, node: Mapping | Sequence) -> Iterator[tuple[Path, Node]]:
    if isinstance(node, Sequence):
        yield from (((*path, at), item) for at, item in enumerate(node))
        return
    for name, value in zip(node[::2], node[1::2], strict=True):
        yield (*path, name.value if isinstance(name, ScalarEvent) else ""), value


def _own(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, Mapping):
        return None
    for at in range(0, len(node), 2):
        name = node[at]
        if type(name) is ScalarEvent and name.value == key:
            return node[at + 1]
    return None


def _merged(node: Node | None, key: str) -> Node | None:
    sources = _sources(node)
    return next((found for one in sources if (found := _own(one, key)) is not None), None)


def _pairs(node: Mapping) -> Iterator[tuple[ScalarEvent, Node]]:
    known: set[str] = set()
    for mapping in [node, *_sources(node)]:
        for key, value in zip(mapping[::2], mapping[1::2], strict=True):
            if isinstance(key, ScalarEvent) and key.value not in known and key.value != _MERGE:
                known.add(key.value)
                yield key, value


def _sources(node: Node | None) -> list[Mapping]:
    """List all mappings that one merges, in order of precedence, each once: merges may form a circle."""
    if (first := _own(node, _MERGE)) is None:
        return []
    found: dict[int, Mapping] = {}
    open_ = [first]
    while open_:
        one = open_.pop()
        if isinstance(one, Sequence):
            open_.extend(reversed(one))
        elif isinstance(one, Mapping) and id(one) not in found:
            found[id(one)] = one
            open_.extend(more for more in [_own(one, _MERGE)] if more is not None)
    return list(found.values())
