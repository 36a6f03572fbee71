"""Trees that patches change: copies of parsed nodes, whose scalars stay tied to the texts that they stand in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orbit_release.errors import InvalidError
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar, SequenceNode

_MAX_DEPTH = 150
_MAX_NODES = 200_000
_HINT = "Write it without so many levels or aliases."


@dataclass(slots=True)
class Grafts:
    """The scalars that patches brought into an object, and where each is written.

    Each is a copy: a patch that is applied twice brings two of them.
    """

    places: dict[int, Written] = field(default_factory=dict)
    scalars: list[Scalar] = field(default_factory=list)  # an id is certain for as long as its object lives

    def scalar(self, scalar: Scalar, text: Text) -> Scalar:
        """Return a copy of a scalar of a patch, whose text is given."""
        return self.copied(scalar, Written(text, scalar))

    def copied(self, scalar: Scalar, written: Written) -> Scalar:
        new: Scalar = copy.copy(scalar)
        self.scalars.append(new)
        self.places[id(new)] = written
        return new


@dataclass(slots=True)
class Copier:
    """Copies collections of a text, merge keys filled in; the scalars stay, or are what `scalar` makes of them."""

    text: Text
    scalar: Callable[[Scalar, Text], Scalar] | None = None
    left: int = _MAX_NODES

    def copy(self, node: Node, depth: int = 0) -> Node:
        """Return a copy that shares no collection; InvalidError where it nests too deep, or grows too large."""
        self.left -= 1
        if depth > _MAX_DEPTH or self.left < 0:
            raise InvalidError(f"{self.text.path}: too large to be patched", _HINT)
        if isinstance(node, Scalar):
            return self.scalar(node, self.text) if self.scalar else node
        if isinstance(node, SequenceNode):
            items = SequenceNode([self.copy(item, depth + 1) for item in node])
            items.line, items.column = node.line, node.column
            return items
        mapping = empty_like(node)
        for key, value in nodes.pairs(node):
            mapping += [key, self.copy(value, depth + 1)]
        return mapping


def empty_like(node: Node) -> MappingNode:
    """Return an empty mapping that stands where a node stands."""
    new = MappingNode()
    new.line, new.column = nodes.place(node)
    return new


def put(mapping: MappingNode, key: Scalar, value: Node) -> None:
    """Set a key's value; its place stays."""
    for at in range(0, len(mapping), 2):
        name = mapping[at]
        if isinstance(name, Scalar) and name.value == key.value:
            mapping[at + 1] = value
            return
    mapping.extend([key, value])


def drop(mapping: MappingNode, key: str) -> None:
    for at in range(0, len(mapping), 2):
        name = mapping[at]
        if isinstance(name, Scalar) and name.value == key:
            del mapping[at : at + 2]
            return


def named(like: Scalar, value: str, *, style: str | None = '"') -> Scalar:
    """Return a value of our own making, text unless it is plain, as if it stood where another scalar stands."""
    new: Any = copy.copy(like)
    new.value, new.style, new.tag, new.anchor = value, style, None, None
    return new  # type: ignore[no-any-return]


def any_key(mapping: MappingNode) -> Scalar:
    """Return one of the keys of a mapping; InvalidError where it has none."""
    key = next((key for key in mapping[::2] if isinstance(key, Scalar)), None)
    if key is None:
        raise InvalidError("an object or a generator is empty", "Write it, or take it out.")
    return key


def set_at(root: MappingNode, path: tuple[str, ...], value: str, like: Scalar) -> None:
    """Set a value below mappings, which are made where they are missing."""
    for key in path[:-1]:
        below = root.get(key)
        if not isinstance(below, MappingNode):
            below = empty_like(like)
            put(root, named(like, key), below)
        root = below
    put(root, named(like, path[-1]), named(like, value))
