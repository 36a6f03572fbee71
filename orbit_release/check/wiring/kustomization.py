"""A kustomization: what it includes, and where the objects that a program made of it are written."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from orbit_release.check.written_objects import Object
from orbit_release.manifests.texts.yaml_nodes import Node, items, pairs, text

# With these keys alone the objects refer to each other as they are written.
_HARMLESS = {
    *("apiVersion", "kind", "metadata", "resources", "bases", "namespace", "labels", "commonLabels"),
    *("commonAnnotations", "images", "replicas", "buildMetadata", "sortOptions", "generatorOptions"),
}
_INCLUDES = ("resources", "bases", "components")
_HASH = re.compile(r"-[0-9a-z]{10}\Z")


@dataclass(frozen=True, slots=True)
class Kustomization:
    path: str
    root: Node

    @property
    def folder(self) -> str:
        """The folder that it stands in; `.` is the root."""
        return posixpath.dirname(self.path) or "."

    @property
    def is_component(self) -> bool:
        return text(self.root, "kind") == "Component"

    @property
    def is_plain(self) -> bool:
        """Whether no program is needed to know what it renders to."""
        keys = {key.value for key, value in pairs(self.root) if not isinstance(value, list) or value}
        return keys <= _HARMLESS and not self.is_component

    @property
    def entries(self) -> list[str]:
        """What it includes, as it is written."""
        return [entry for key in _INCLUDES for item in items(self.root, key) if (entry := text(item))]

    def target(self, entry: str) -> str:
        return posixpath.normpath(posixpath.join(self.folder, entry))


class WrittenObjects:
    """The objects that kustomizations include, by kind and name, and what these put around names."""

    def __init__(self, objects: Sequence[Object], kustomizations: Sequence[Kustomization]) -> None:
        """Take all kustomizations, the outer before the inner; of objects with one name the first counts."""
        self._objects = {(obj.kind, obj.name): obj for obj in reversed(objects)}
        # The outer prefix stands first, and the outer suffix last.
        self._prefixes = _combined([text(each.root, "namePrefix") for each in kustomizations])
        self._suffixes = _combined([text(each.root, "nameSuffix") for each in reversed(kustomizations)])

    def find(self, rendered: Object) -> Object | None:
        """Return the object as it is written; None for one that a generator made."""
        for prefix, suffix in itertools.product(self._prefixes, self._suffixes):
            bare = rendered.name.removeprefix(prefix).removesuffix(suffix)
            for name in (bare, _HASH.sub("", bare)):
                if written := self._objects.get((rendered.kind, name)):
                    return written
        return None


def _combined(parts: list[str]) -> list[str]:
    return list(dict.fromkeys(["", *parts, "".join(parts)]))
