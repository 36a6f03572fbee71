"""Which files are manifests and kustomizations, by their names, and the Kubernetes objects in them."""

from __future__ import annotations

from collections.abc import Iterator

from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node

ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_ENDINGS = tuple(ending.encode() for ending in ENDINGS)  # git's names are bytes


def is_manifest(path: bytes) -> bool:
    return path.endswith(_ENDINGS)


def is_kustomization(path: str) -> bool:
    return path.rpartition("/")[2] in KUSTOMIZATIONS


def objects_in(root: Node) -> Iterator[MappingNode]:
    """Yield the objects of a document: those in a list (by its kind, as kustomize sees it), or the document itself."""
    seen: set[int] = set()
    open_ = [root]
    while open_:
        node = open_.pop()
        if isinstance(node, MappingNode) and id(node) not in seen:
            seen.add(id(node))
            listed = nodes.items(node, "items") if nodes.text(node, "kind").endswith("List") else []
            open_.extend(reversed(listed))
            if not listed:
                yield node


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies in it; "" and `.` are the root."""
    return folder in ("", ".", path) or path.startswith(f"{folder}/")
