"""Helm values as their scalars, by key path: how files, objects and parameters are laid over each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, field, replace

from orbit_release.manifests.object_images import nodes_below, reached_at
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import (
    MappingNode,
    Node,
    Path,
    Scalar,
    SequenceNode,
    is_null,
    is_text,
    start_of,
)

# As `helm --set` cuts a name: dots part keys, a backslash keeps a dot, `[0]` is an item of a list.
_STEP = re.compile(r"\[(?P<item>\d+)\]|(?P<key>(?:\\.|[^.\[\\])+)")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of the values; `fault` is `path:line: why` its key cannot be trusted, `overridden` what it replaced."""

    at: Written
    fault: str = ""
    overridden: tuple[Written, ...] = ()

    @property
    def value(self) -> str:
        return self.at.value

    @property
    def is_null(self) -> bool:
        """Whether nothing is written, or null: Helm then takes the key away."""
        return is_null(self.at.scalar)

    @property
    def is_text(self) -> bool:
        """Whether every reader of YAML takes it for text: `true` and `1.10` are none."""
        return is_text(self.at.scalar)


@dataclass(frozen=True, slots=True)
class Values:
    """A tree of values; `lists` and `mappings` are the paths of its collections, empty ones too."""

    leaves: Mapping[Path, Leaf] = field(default_factory=dict)
    lists: frozenset[Path] = frozenset()
    mappings: frozenset[Path] = frozenset()

    @classmethod
    def read(cls, root: Node, text: Text, *under: str) -> Values:
        """Read what lies below a path of keys; an alias's values are found once, where they are reached first."""
        roots, size = [*reached_at(root, under)], len(under)
        nodes = [(node, path[size:], key) for node, path, key in nodes_below(roots)]
        leaves = {
            path: Leaf(Written(text, node), _fault(text, key)) for node, path, key in nodes if isinstance(node, Scalar)
        }
        lists, mappings = (
            frozenset(path for node, path, _ in nodes if isinstance(node, kind)) for kind in (SequenceNode, MappingNode)
        )
        return cls(leaves, lists, mappings)

    def under(self, *keys: str | int) -> Values:
        """Return what lies below a key path, with paths from there."""
        size = len(keys)
        leaves = {path[size:]: leaf for path, leaf in self.leaves.items() if path[:size] == keys}
        lists, mappings = (
            frozenset(path[size:] for path in paths if path[:size] == keys) for paths in (self.lists, self.mappings)
        )
        return Values(leaves, lists, mappings)

    def below(self, key: str) -> Values:
        """Return these values as what lies below a key of others."""
        lists, mappings = (frozenset((key, *path) for path in paths) for paths in (self.lists, self.mappings))
        return Values({(key, *path): leaf for path, leaf in self.leaves.items()}, lists, mappings | {()})

    def get(self, *keys: str | int) -> Leaf | None:
        """Return the scalar at a key path; None for null, and where there is none."""
        leaf = self.leaves.get(keys)
        return None if leaf is None or leaf.is_null else leaf

    def text(self, *keys: str | int) -> str:
        leaf = self.get(*keys)
        return leaf.value if leaf else ""

    def items(self, *keys: str | int) -> list[Values]:
        """Return what lies below each item of the list at a key path; a scalar item is at the path ()."""
        below = self.under(*keys)
        numbers = dict.fromkeys(path[0] for path in (*below.leaves, *below.lists, *below.mappings) if path)
        return [below.under(number) for number in numbers if isinstance(number, int)]

    def over(self, inner: Values) -> Values:
        """Lay these values over inner ones, as Helm merges files: mappings by key, lists and scalars as a whole."""
        collections = self.mappings & (inner.lists | inner.leaves.keys())
        return self._laid_over(inner, self.lists | self.leaves.keys() | collections)

    def set_on(self, inner: Values) -> Values:
        """Set these values as `helm --set` does: also inside of lists."""
        return self._laid_over(inner, self.leaves.keys() | (self.mappings & inner.leaves.keys()))

    def _laid_over(self, inner: Values, replaced: AbstractSet[Path]) -> Values:
        """Lay these values over inner ones, of which nothing stays at or below the replaced paths."""
        kept = {path: leaf for path, leaf in inner.leaves.items() if replaced.isdisjoint(_starts(path))}
        lists, mappings = (
            {path for path in paths if replaced.isdisjoint(_starts(path))} for paths in (inner.lists, inner.mappings)
        )
        return Values(kept | self._leaves_over(inner), self.lists | lists, self.mappings | mappings)

    def _leaves_over(self, inner: Values) -> dict[Path, Leaf]:
        """Return these leaves with what they replace; an item of another list is not the same item."""
        replaced = {path: inner.leaves.get(path) for path in self.leaves if self.lists.isdisjoint(_starts(path))}
        return {path: _over(leaf, replaced.get(path)) for path, leaf in self.leaves.items()}


def parameters(values: Values, *under: str | int) -> Values:
    """Read `helm.parameters`, a list of `{name: a.b.image.tag, value: X}`, as the values that they set."""
    leaves: dict[Path, Leaf] = {}
    for parameter in values.items(*under):
        name, value = parameter.get("name"), parameter.get("value")
        if name and value:
            fault = name.fault or value.fault
            path = name_path(name.value)
            leaves[path] = _over(Leaf(value.at, fault), leaves.get(path))
    return Values(leaves, mappings=frozenset(start for path in leaves for start in _starts(path)[:-1]))


def name_path(name: str) -> Path:
    """Return the key path of a parameter's name."""
    steps = _STEP.finditer(name)
    return tuple(int(step["item"]) if step["item"] else re.sub(r"\\(.)", r"\1", step["key"]) for step in steps)


def _starts(path: Path) -> list[Path]:
    """Return the paths that lead to a path, itself at the end."""
    return [path[:size] for size in range(len(path) + 1)]


def _over(outer: Leaf, inner: Leaf | None) -> Leaf:
    return replace(outer, overridden=(*inner.overridden, inner.at)) if inner else outer


def _fault(text: Text, repeated: Scalar | None) -> str:
    if repeated is None:
        return ""
    return f"{text.path}:{text.line(start_of(repeated))}: repeated key {repeated.value!r}"
