"""What is read and noted while an entry is rendered."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.objects import ENDINGS, is_below
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, UnreadableError

if TYPE_CHECKING:
    from orbit_release.manifests.kustomize.image_entries import ImageEntry
    from orbit_release.manifests.kustomize.resource import Pool


@dataclass(frozen=True, slots=True)
class HelmValues:
    """Values that a chart of `helmCharts` gets: files, by their paths, and a mapping in the kustomization.

    `chart` is its folder; None for one that is not in this repository.
    """

    files: tuple[str, ...] = ()
    inline: tuple[tuple[Text, Node], ...] = ()
    chart: str | None = None


@dataclass(slots=True)
class Reading:
    """The files of an entry, and what is noted of them; `specs` are the image fields that our configuration names.

    `seen` are the files that were read, `faults` says why one cannot be used. `unseen` says, as `path:line: what`,
    where objects come from that cannot be seen here. `entries` has each entry of `images:` once, by the identities of
    its values. `inner` keeps what stands inside values, parsed, by the identities of these.
    """

    files: Files
    specs: Sequence[FieldSpec] = ()
    seen: set[str] = field(default_factory=set)
    faults: dict[str, InvalidError] = field(default_factory=dict)
    includes: dict[str, list[str]] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    entries: dict[tuple[int, ...], ImageEntry] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)  # the identities of entries that an image matched
    charts: dict[int, HelmValues] = field(default_factory=dict)
    layers: int = 0
    inner: dict[int, tuple[Written, Text, list[Node]]] = field(default_factory=dict)

    def fault(self, path: str, error: InvalidError) -> None:
        """Note why a file cannot be used; the first reason counts."""
        self.faults.setdefault(path, error)

    def not_seen(self, what: str) -> None:
        if what not in self.unseen:
            self.unseen.append(what)

    def documents(self, path: str) -> tuple[Text, list[Node]]:
        """Return a file's text and the roots of its documents; InvalidError where it cannot be read."""
        parsed = self.files.parsed(path)
        if parsed is None:
            raise InvalidError(f"{path}: there is no such file", "Correct the path, or add the file.")
        self.seen.add(path)
        if parsed.fault:
            raise parsed.fault
        return parsed.text, [document.root for document in parsed.documents]

    def inside(self, value: Written) -> tuple[Text, list[Node]]:
        """Return the text inside a value and the roots of its documents; InvalidError with the file's line."""
        known = self.inner.get(id(value.scalar))
        if known:
            return known[1], known[2]
        text = Text.of_value(value)
        try:
            roots = [document.root for document in nodes.parse(text.text, value.path)]
        except UnreadableError as error:
            line = text.first_line + error.place[0] - 1
            raise InvalidError(f"{value.path}:{line}: not valid YAML: {error.problem}", error.hint) from error
        self.inner[id(value.scalar)] = (value, text, roots)
        return text, roots

    def objects_inside(self, value: Written) -> tuple[Text, list[Node]] | None:
        """Return the text inside a value and its objects; None where it holds no objects: it is a path then."""
        try:
            text, roots = self.inside(value)
        except InvalidError:
            return None
        return (text, roots) if roots and all(isinstance(root, MappingNode) for root in roots) else None

    def has(self, path: str) -> bool:
        """Whether there is a file; what may be a manifest is read but once."""
        if path.endswith(ENDINGS):
            return self.files.parsed(path) is not None
        return self.files.read(path) is not None


@dataclass(frozen=True, slots=True)
class Layer:
    """Where a change works: the objects of a layer, and the folder of the kustomization.

    `has_schema`: `openapi:` gives patches a schema of its own.
    """

    pool: Pool
    folder: str
    reading: Reading
    has_schema: bool


def joined(folder: str, path: str, written: Written) -> str:
    """Return a path from the repository's root; InvalidError where it leads out of the repository."""
    whole = posixpath.normpath(posixpath.join(folder, path))
    if posixpath.isabs(path) or whole == ".." or whole.startswith("../"):
        raise InvalidError(
            f"{written.where}: {path} is outside of the repository", "Only files of this repository are read."
        )
    return "" if whole == "." else whole


def file_at(folder: str, written: Written) -> str:
    """Return the path of a file that a kustomization names; InvalidError where kustomize would not read it there."""
    path = joined(folder, written.value, written)
    if not is_below(path, folder):
        hint = "kustomize reads no file outside of the kustomization's folder: move it, or make it a base."
        raise InvalidError(f"{written.where}: {written.value} lies outside of the folder", hint)
    return path
