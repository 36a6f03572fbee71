"""The Kubernetes objects of a file, parsed once; every field knows the line that it stands on."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from yaml.events import ScalarEvent

from orbit_release.errors import InvalidError
from orbit_release.manifests.mark import rest_of_line
from orbit_release.manifests.nodes import items, line, scalars, text
from orbit_release.manifests.splice import Mapping, Node, end_of, parse

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DOCUMENT = re.compile(r"^(?=---(?:\s|\Z))", re.MULTILINE)
_KINDS = re.compile(rb"^kind:[ \t]*[\"']?(\w+)", re.MULTILINE)
_DEFINITION = "CustomResourceDefinition"  # a thousand lines of schema each, and nothing that refers to anything
_IS_DEFINITION = re.compile(rf"^kind: {_DEFINITION}\s*?$", re.MULTILINE)
Labels = tuple[tuple[str, str], ...]


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
    pod_labels: Labels = ()
    selector_labels: Labels = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def line(self) -> int:
        """The 1-based line that it starts on."""
        return line(self.root)

    def place(self, node: Node | None) -> tuple[str, int]:
        """Return the file and the line that a node of this object is written in, as well as that is known."""
        if not self.is_rendered:
            return self.path, line(node) if node is not None else self.line
        if self.origin is None:
            return self.path, 1
        same = self._written(node)
        return self.origin.path, line(same) if same is not None else self.origin.line

    def comment(self, node: ScalarEvent) -> str:
        """Return what stands behind a scalar on its line, where it is written."""
        if not self.is_rendered:
            return rest_of_line(self.text, end_of(node))
        same = self._written(node)
        return rest_of_line(self.origin.text, end_of(same)) if self.origin and same else ""

    def _written(self, node: Node | None) -> ScalarEvent | None:
        """Find the scalar that a rendered one comes from: at its place, or else the first with its key and value."""
        if self.origin is None or not isinstance(node, ScalarEvent):
            return None
        path = next((path for path, one in scalars(self.root) if one is node), ())
        there = [(other, one) for other, one in scalars(self.origin.root) if one.value == node.value]
        exact = (one for other, one in there if other == path)
        return next(exact, next((one for other, one in there if other[-1:] == path[-1:]), None))


@dataclass(frozen=True, slots=True)
class Source:
    """A file's objects; `fault` is `path:line: why` where it is not YAML, `roots` are its documents."""

    path: str
    roots: tuple[Node, ...] = ()
    objects: tuple[Object, ...] = ()
    fault: InvalidError | None = None


def read(data: bytes, path: str) -> Source:
    """Parse a file; one that is not YAML is a source with a fault."""
    bom, encoding = next((one for one in _BOMS if data.startswith(one[0])), (b"", "utf-8"))
    try:
        content = _without_definitions(data[len(bom) :].decode(encoding))
        roots = tuple(document.root for document in parse(content, path))
    except UnicodeDecodeError as error:
        line_number = data[: len(bom) + error.start].count(b"\n") + 1
        fault = InvalidError(f"{path}:{line_number}: not {encoding.upper()}", "Save the file as UTF-8.")
        return Source(path, fault=fault)
    except InvalidError as error:
        return Source(path, fault=error)
    return Source(path, roots, tuple(one for root in roots for one in _objects(root, path, content)))


def _without_definitions(content: str) -> str:
    """Leave of each custom resource's definition only its lines: reading them would take longer than all the rest."""
    if f"kind: {_DEFINITION}" not in content:
        return content
    documents = _DOCUMENT.split(content)
    return "".join(_blank(one) if _IS_DEFINITION.search(one) else one for one in documents)


def _blank(document: str) -> str:
    return ("---" if document.startswith("---") else "") + "\n" * document.count("\n")


def may_hold_objects(data: bytes) -> bool:
    """Whether a file is worth parsing; without these two words there is no object in it, whatever it is."""
    if b"\0" in data:
        return True
    if b"kind" not in data or b"apiVersion" not in data:
        return False
    return set(_KINDS.findall(data)) != {_DEFINITION.encode()}


def _objects(root: Node, path: str, content: str) -> Iterator[Object]:
    kind = text(root, "kind")
    if not kind or not isinstance(root, Mapping) or not text(root, "apiVersion"):
        return
    if kind.endswith("List") and (inner := items(root, "items")):
        for one in inner:
            yield from _objects(one, path, content) if not text(one, "kind").endswith("List") else ()
        return
    group, slash, _ = text(root, "apiVersion").partition("/")
    name, namespace = (text(root, "metadata", key) for key in ("name", "namespace"))
    yield Object(group if slash else "", kind, name, namespace, path, root, content)
