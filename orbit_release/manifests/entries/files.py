"""The files that manifests are read from, each parsed once."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orbit_release.errors import InvalidError
from orbit_release.manifests.objects import KUSTOMIZATIONS, objects_in
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text
from orbit_release.manifests.texts.yaml_nodes import (
    Document,
    MappingNode,
    Node,
    Scalar,
    SequenceNode,
    UnreadableError,
    parse,
    scalars,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class ParsedFile:
    """A file's text and documents; `fault` says why it cannot be read, as `path:line: why`."""

    text: Text
    documents: tuple[Document, ...] = ()
    fault: InvalidError | None = None

    @property
    def objects(self) -> list[MappingNode]:
        """The objects in the documents, and in lists in them."""
        return [obj for document in self.documents for obj in objects_in(document.root)]


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """The files of a commit or of a working tree.

    `names` are those below the paths that the configuration names; `read` gives the bytes of any file of the
    repository, None where there is none. A symbolic link is no file.
    """

    names: Collection[str]
    read: Callable[[str], bytes | None]
    kustomizations: Callable[[], Collection[str]] = tuple  # of the whole repository; only bases ask for them
    _parsed: dict[str, ParsedFile | None] = field(default_factory=dict, repr=False, compare=False)
    _made: dict[str, tuple[Collection[str], Any]] = field(default_factory=dict, repr=False, compare=False)

    def parsed(self, path: str) -> ParsedFile | None:
        """Return a file, parsed; None where there is none."""
        if path not in self._parsed:
            data = self.read(path)
            self._parsed[path] = None if data is None else parsed(data, path)
        return self._parsed[path]

    def faults(self, *paths: str) -> dict[str, InvalidError]:
        """Return why files cannot be read, by path."""
        read = ((path, self.parsed(path)) for path in paths)
        return {path: file.fault for path, file in read if file and file.fault}

    def kustomizations_in(self, folder: str) -> list[str]:
        """Return the kustomizations of a folder: kustomize takes no more than one."""
        paths = (posixpath.normpath(posixpath.join(folder, name)) for name in KUSTOMIZATIONS)
        return [path for path in paths if self.read(path) is not None]

    def is_parsed(self, path: str) -> bool:
        """Whether a file was parsed, so that its faults are known."""
        return path in self._parsed

    def once(self, key: str, make: Callable[[], T], made_of: Callable[[T], Collection[str]]) -> T:
        """Return what is made of files, made once for as long as none of those that it is made of changes.

        `key` is the path of the file that it begins with; a NUL and more behind it tell several such things apart.
        """
        if key not in self._made:
            new = make()
            self._made[key] = made_of(new), new
        made: T = self._made[key][1]
        return made

    def forget(self, paths: Collection[str]) -> None:
        """Forget what was made of files that are about to be others."""
        for path in paths:
            self._parsed.pop(path, None)
            self._made.pop(path, None)
        changed = set(paths)
        for key in [key for key, (made_of, _) in self._made.items() if not changed.isdisjoint(made_of)]:
            del self._made[key]

    def but(self, changes: Mapping[str, bytes | None]) -> Files:
        """Return the files with other bytes (None: without a file); what does not change is not parsed again."""

        def read(path: str) -> bytes | None:
            return changes[path] if path in changes else self.read(path)

        names = dict.fromkeys((*self.names, *changes))
        left = [name for name in names if changes.get(name, b"") is not None]
        kept = {path: file for path, file in self._parsed.items() if path not in changes}
        made = {key: pair for key, pair in self._made.items() if changes.keys().isdisjoint(pair[0])}
        return Files(left, read, self.kustomizations, kept, made)


def parsed(data: bytes, path: str) -> ParsedFile:
    """Parse a file of Kubernetes objects, whose keys are text: `{{ if .Values }}` is a mapping that has another."""
    try:
        text = Text.of_file(data, path)
    except UnreadableError as error:
        return ParsedFile(Text(path, ""), fault=error)
    try:
        documents = tuple(parse(text.text, path))
    except UnreadableError as error:
        return ParsedFile(text, fault=error)
    if any(None in keys for document in documents for keys, _ in scalars(document.root)):
        hint = "Templates cannot be read before they are filled in."
        return ParsedFile(text, fault=InvalidError(f"{path}: a key is not text", hint))
    return ParsedFile(text, documents)


def same_values(before: bytes | None, after: bytes | None) -> bool:
    """Whether two states of a manifest (None: there is none) differ in comments and styles only."""
    if before is None or after is None or before == after:
        return before == after
    old, new = parsed(before, ""), parsed(after, "")
    if old.fault or new.fault:
        return False
    try:
        return [*map(_said, old.objects)] == [*map(_said, new.objects)]
    except RecursionError:  # an anchor that holds itself
        return False


def _said(node: Node) -> Any:
    """Return what a node says, as values that can be compared."""
    if isinstance(node, Scalar):
        return None if nodes.is_null(node) else (node.value, node.tag, nodes.is_text(node))
    if isinstance(node, SequenceNode):
        return [_said(item) for item in node]
    return {key.value: _said(value) for key, value in nodes.pairs(node)}
