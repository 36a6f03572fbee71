"""The configuration file, as findings name it when it is the file to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
