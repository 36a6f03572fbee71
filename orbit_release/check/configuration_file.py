"""The configuration file, as findings name it when it is the file to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import Node, Scalar


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """`lines` has the line (from 1) of each entry by its keys; a glob's are ("services", service, "paths", glob)."""

    path: str
    lines: Mapping[tuple[str, ...], int]

    def place(self, *keys: str) -> tuple[str, int]:
        """Return the file and the line of an entry, or of the closest one around it that is written."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.path, self.lines.get(keys, 1)


def lines(data: bytes) -> dict[tuple[str, ...], int]:
    """Return the line (from 1) of each entry of a valid configuration, by its keys; a list's items by their texts."""
    return {keys: number for root in nodes.read(data, "") for keys, number in _lines(root, ())}


def _lines(node: Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, value in nodes.pairs(node):
        yield (*keys, key.value), nodes.line(key)
        yield from _lines(value, (*keys, key.value))
    for item in nodes.items(node):
        if isinstance(item, Scalar):
            yield (*keys, item.value), nodes.line(item)
