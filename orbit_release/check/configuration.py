"""The file that the rules name when it is the one to be changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """Where the configuration says what: `lines` has the line (from 1) of each entry by its keys.

    A glob's keys are ("services", service, "paths", glob).
    """

    path: str
    lines: Mapping[tuple[str, ...], int]

    def line(self, *keys: str) -> int:
        """Return the line of an entry, or of the closest one around it that is written."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)
