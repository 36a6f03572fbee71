"""The files of a repository that git knows, as they stand in the working tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by path, relative to the repository's root; of a symbolic link its target, of any other file None.

    `read` returns a file's bytes, each time anew: who needs them twice keeps them. Links are not followed.
    """

    files: Mapping[str, str | None]
    read: Callable[[str], bytes] = field(repr=False, compare=False)

    def below(self, folder: str) -> list[str]:
        """Return the files in a folder, at any depth, in order; `.` is the root."""
        prefix = "" if folder == "." else f"{folder}/"
        return sorted(path for path in self.files if path.startswith(prefix))
