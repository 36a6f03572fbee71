"""A kustomization: what it includes and adds, and from where the objects come that a program made of it."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orbit_release.manifests.nodes import Node, items, pairs, text, texts
from orbit_release.manifests.objects import Labels, Object

_HARMLESS = frozenset(
    [
        "apiVersion",
        "kind",
        "metadata",
        "resources",
        "bases",
        "namespace",
        "labels",
        "commonLabels",
        "commonAnnotations",
        "images",
        "replicas",
        "buildMetadata",
        "sortOptions",
        "generatorOptions",
    ]
)
_INCLUDES = ("resources", "bases", "components")
_HASH = re.compile(r"-[0-9a-z]{10}\Z")


@dataclass(frozen=True, slots=True)
class Kustomization:
    path: str
    root: Node

    @property
    def folder(self) -> str:
        """The folder that it stands in, as the root names it."""
        return posixpath.dirname(self.path) or "."

    @property
    def is_plain(self) -> bool:
        """Whether it only says what `Added` understands."""
        said = {key.value for key, value in pairs(self.root) if not isinstance(value, list) or value}
        return said <= _HARMLESS and text(self.root, "kind") != "Component"

    @property
    def entries(self) -> list[str]:
        """What it includes, as it is written."""
        return [entry for key in _INCLUDES for item in items(self.root, key) if (entry := text(item))]

    def target(self, entry: str) -> str:
        """Return the file or folder that an entry means."""
        return posixpath.normpath(posixpath.join(self.folder, entry))


@dataclass(frozen=True, slots=True)
class Added:
    """What a plain kustomization adds to its objects."""

    namespace: str
    pods: Labels
    selectors: Labels

    @classmethod
    def read(cls, root: Node) -> Added:
        """Read it from a kustomization."""
        common = texts(root, "commonLabels")
        pods, selectors = dict(common), dict(common)
        for entry in items(root, "labels"):
            wide = text(entry, "includeSelectors") == "true"
            if wide or text(entry, "includeTemplates") == "true":
                pods |= texts(entry, "pairs")
            if wide:
                selectors |= texts(entry, "pairs")
        return cls(text(root, "namespace"), tuple(pods.items()), tuple(selectors.items()))

    def to(self, one: Object) -> Object:
        """Return an object with it."""
        if not (self.namespace or self.pods or self.selectors):
            return one
        return replace(
            one,
            namespace=self.namespace or one.namespace,
            pod_labels=one.pod_labels + self.pods,
            selector_labels=one.selector_labels + self.selectors,
        )


@dataclass(frozen=True, slots=True)
class Origins:
    """The written objects by kind and name, and what kustomizations put around names."""

    written: dict[tuple[str, str], Object]
    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]

    @classmethod
    def of(cls, objects: Iterable[Object], reach: Sequence[Kustomization]) -> Origins:
        """Take what kustomizations include, and all of them, the outer before the inner."""
        written: dict[tuple[str, str], Object] = {}
        for one in objects:
            written.setdefault((one.kind, one.name), one)
        # The outer prefix stands first, and the outer suffix last.
        prefixes = [text(one.root, "namePrefix") for one in reach]
        suffixes = [text(one.root, "nameSuffix") for one in reversed(reach)]
        return cls(written, *(tuple(dict.fromkeys(["", *found, "".join(found)])) for found in (prefixes, suffixes)))

    def find(self, one: Object) -> Object | None:
        """Return where a rendered object is written."""
        for prefix, suffix in itertools.product(self.prefixes, self.suffixes):
            bare = one.name.removeprefix(prefix).removesuffix(suffix)
            for name in (bare, _HASH.sub("", bare)):
                if found := self.written.get((one.kind, name)):
                    return found
        return None
