"""The Kubernetes objects of a file, parsed once; every field knows the line that it stands on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orbit_release.errors import InvalidError
from orbit_release.manifests.objects import objects_in
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar

_DOCUMENT = re.compile(r"^(?=---(?:\s|\Z))", re.MULTILINE)
_KINDS = re.compile(rb"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)
_DEFINITION = "CustomResourceDefinition"  # a thousand lines of schema each, and nothing that refers to anything
_IS_DEFINITION = re.compile(rf"^kind: {_DEFINITION}\s*?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """An object with what a kustomization adds to it; of a rendered one, `origin` is where it is written.

    `path` of a rendered object is its kustomization, and `text` the file's or the whole rendered text.
    """

    group: str
    kind: str
    name: str
    namespace: str
    path: str
    root: Node = field(repr=False)
    text: str = field(repr=False)
    is_rendered: bool = False
    origin: Object | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def line(self) -> int:
        return nodes.line(self.root)

    def place(self, node: Node | None) -> tuple[str, int]:
        """Return the file and the line that a node of this object is written in, as well as that is known."""
        if not self.is_rendered:
            return self.path, nodes.line(node) if node is not None else self.line
        if self.origin is None:
            return self.path, 1
        same = self._written(node)
        return self.origin.path, nodes.line(same) if same is not None else self.origin.line

    def comment(self, node: Scalar) -> str:
        """Return what stands behind a scalar on its line, where it is written."""
        if not self.is_rendered:
            return nodes.rest_of_line(self.text, nodes.end_of(node))
        same = self._written(node)
        return nodes.rest_of_line(self.origin.text, nodes.end_of(same)) if self.origin and same else ""

    def _written(self, node: Node | None) -> Scalar | None:
        """Find the scalar that a rendered one comes from: at its place, or else the first with its key and value."""
        if self.origin is None or not isinstance(node, Scalar):
            return None
        path = next((path for path, value in nodes.scalars(self.root) if value is node), ())
        same = [(place, value) for place, value in nodes.scalars(self.origin.root) if value.value == node.value]
        exact = (value for place, value in same if place == path)
        return next(exact, next((value for place, value in same if place[-1:] == path[-1:]), None))


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A file's objects; `fault` is `path:line: why` where it is not YAML, `roots` are its documents."""

    path: str
    roots: tuple[Node, ...] = ()
    objects: tuple[Object, ...] = ()
    fault: InvalidError | None = None


def read(data: bytes, path: str) -> ObjectFile:
    """Parse a file; one that is not YAML has a fault."""
    try:
        content = _without_definitions(nodes.decoded(data, path)[0])
        roots = tuple(document.root for document in nodes.parse(content, path))
    except InvalidError as error:
        return ObjectFile(path, fault=error)
    objects = (_object(node, path, content) for root in roots for node in objects_in(root))
    return ObjectFile(path, roots, tuple(filter(None, objects)))


def _without_definitions(content: str) -> str:
    """Leave of each custom resource's definition only its lines: reading them would take longer than all the rest."""
    if f"kind: {_DEFINITION}" not in content:
        return content
    documents = _DOCUMENT.split(content)
    for at, document in enumerate(documents):
        if _IS_DEFINITION.search(document):
            documents[at] = ("---" if document.startswith("---") else "") + "\n" * document.count("\n")
    return "".join(documents)


def may_hold_objects(data: bytes) -> bool:
    """Whether a file is worth parsing; without these two words there is no object in it, whatever it is."""
    if b"\0" in data:
        return True
    if b"kind" not in data or b"apiVersion" not in data:
        return False
    return set(_KINDS.findall(data)) != {_DEFINITION.encode()}


def _object(root: MappingNode, path: str, content: str) -> Object | None:
    version, kind = nodes.text(root, "apiVersion"), nodes.text(root, "kind")
    if not version or not kind:
        return None
    group, slash, _ = version.partition("/")
    name, namespace = nodes.text(root, "metadata", "name"), nodes.text(root, "metadata", "namespace")
    return Object(group if slash else "", kind, name, namespace, path, root, content)
