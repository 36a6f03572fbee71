"""The field specifications of kustomize: which field of which objects a transformer changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.manifests.kustomize.fields import Fields
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Path, Scalar, SequenceNode, child, is_null

if TYPE_CHECKING:
    from orbit_release.manifests.kustomize.resource import Resource


@dataclass(frozen=True, slots=True)
class KustomizeSpec:
    """A field of the objects of a group, version and kind ("" for any)."""

    path: str
    group: str = ""
    version: str = ""
    kind: str = ""

    @classmethod
    def read(cls, fields: Fields) -> KustomizeSpec:
        return cls(*(fields.string(name) for name in ("path", "group", "version", "kind")))

    def is_of(self, resource: Resource) -> bool:
        group, slash, version = resource.api_version.rpartition("/")
        return (
            self.kind in ("", resource.kind)
            and self.group in ("", group if slash else "")
            and self.version in ("", version)
        )


def at_spec(root: Node, path: str) -> Iterator[tuple[Path, Scalar]]:
    """Yield the scalars that a path of keys leads to; it goes through every item of a list, as kustomize's does."""
    steps = [part.removesuffix("[]") for part in path.strip("/").split("/")]
    open_: list[tuple[Node, int, Path]] = [(root, 0, ())]
    while open_:
        node, at, way = open_.pop()
        if isinstance(node, SequenceNode):
            open_ += reversed([(item, at, (*way, number)) for number, item in enumerate(node)])
        elif at == len(steps):
            if isinstance(node, Scalar) and not is_null(node):
                yield way, node
        elif isinstance(node, MappingNode) and (below := child(node, steps[at])) is not None:
            open_.append((below, at + 1, (*way, steps[at])))
