"""JSON patches (RFC 6902), as kustomize applies them (github.com/evanphx/json-patch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, fault, is_string
from orbit_release.manifests.kustomize.resource import Resource
from orbit_release.manifests.kustomize.trees import Copier, any_key, drop, named, put
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar, SequenceNode


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `value` is None where it has none, `path` and `source` are the keys of JSON pointers."""

    fields: Fields
    op: str
    path: tuple[str, ...]
    source: tuple[str, ...]
    value: Node | None

    @classmethod
    def read(cls, fields: Fields) -> Operation:
        """Read an operation; InvalidError where it has none of the six names, or no path."""
        op = fields.string("op")
        if op not in ("add", "replace", "remove", "move", "copy", "test"):
            raise fault(fields.text, fields.node, f"{op!r} is no operation of a JSON patch")
        source = _keys(fields, "from") if op in ("move", "copy") else ()
        return cls(fields, op, _keys(fields, "path"), source, fields.values.get("value"))

    def applied(self, resource: Resource) -> None:
        """Change an object in place; InvalidError where it does not apply."""
        root = resource.root
        if self.op in ("add", "replace"):
            if self.value is None:
                raise self._fault("it has no value")
            value = Copier(self.fields.text, resource.grafts.scalar).copy(self.value)
            self._set(root, value, is_new=self.op == "add")
        elif self.op == "remove":
            self._take(root, self.path)
        elif self.op == "test":
            self._test(root)
        else:
            value = self._copy(resource) if self.op == "copy" else self._take(root, self.source)
            self._set(root, value, is_new=True)

    def _copy(self, resource: Resource) -> Node:
        root = resource.root
        parent = self._get(root, self.source[:-1])
        if isinstance(parent, MappingNode) and parent.get(self.source[-1]) is None:
            return named(any_key(root), "null", style=None)  # so does the program: it copies null
        return Copier(resource.text, resource.twin).copy(self._get(root, self.source))

    def _fault(self, why: str) -> InvalidError:
        path = "/" + "/".join(self.path)
        return fault(self.fields.text, self.fields.node, f"the patch cannot {self.op} {path}: {why}")

    def _get(self, root: Node, path: Sequence[str]) -> Node:
        for key in path:
            below: Node | None = None
            if isinstance(root, MappingNode):
                below = root.get(key)
            elif isinstance(root, SequenceNode):
                below = root[self._index(key, len(root) - 1)]
            if below is None:
                raise self._fault(f"there is no {key!r}")
            root = below
        return root

    def _index(self, key: str, last: int) -> int:
        number = int(key) if key.removeprefix("-").isascii() and key.removeprefix("-").isdigit() else last + 1
        number = number + last + 1 if number < 0 else number
        if not 0 <= number <= last:
            raise self._fault(f"there is no item {key}")
        return number

    def _set(self, root: MappingNode, value: Node, *, is_new: bool) -> None:
        if not self.path:
            raise self._fault("it would replace the whole object")
        parent, key = self._get(root, self.path[:-1]), self.path[-1]
        if isinstance(parent, MappingNode):
            like = any_key(root)
            put(parent, named(like, key), value)
        elif not isinstance(parent, SequenceNode):
            raise self._fault("it leads through a text")
        elif not is_new:
            parent[self._index(key, len(parent) - 1)] = value
        else:
            parent.insert(len(parent) if key == "-" else self._index(key, len(parent)), value)

    def _take(self, root: MappingNode, path: Sequence[str]) -> Node:
        value = self._get(root, path)
        parent = self._get(root, path[:-1])
        if isinstance(parent, MappingNode):
            drop(parent, path[-1])
        elif isinstance(parent, SequenceNode):
            del parent[self._index(path[-1], len(parent) - 1)]
        return value

    def _test(self, root: MappingNode) -> None:
        try:
            present: Any = _json(self._get(root, self.path))
        except InvalidError:
            present = None
        wanted = None if self.value is None else _json(self.value)
        if present != wanted:
            raise self._fault("the test fails")


def _keys(fields: Fields, name: str) -> tuple[str, ...]:
    written = fields.written(name)
    if written is None or not written.value.startswith("/"):
        raise fault(fields.text, fields.node, f"{name} must be a JSON pointer")
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in written.value.split("/")[1:])


def _json(node: Node) -> Any:
    """Return what a node says, as values that can be compared."""
    if isinstance(node, Scalar):
        if nodes.is_null(node):
            return None
        return node.value if is_string(node) else ("", node.value)
    if isinstance(node, SequenceNode):
        return [_json(item) for item in node]
    return {key.value: _json(value) for key, value in nodes.pairs(node)}
