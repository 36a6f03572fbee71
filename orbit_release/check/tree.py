"""The files of a repository that git knows, as they stand in the working tree."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.manifests.objects import is_kustomization


@dataclass(frozen=True, slots=True)
class Tree:
    """Files by path, relative to the repository's root; of a symbolic link its target, of any other file None.

    `read` returns a file's bytes, each time anew: who needs them twice keeps them. Links are not followed.
    """

    files: Mapping[str, str | None]
    read: Callable[[str], bytes] = field(repr=False, compare=False)
    _sorted: Sequence[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sorted", sorted(self.files))

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that name which is no link."""
        return self.files.get(path, "") is None

    def below(self, folder: str) -> list[str]:
        """Return the files in a folder, at any depth, in order; `.` is the root."""
        if folder == ".":
            return list(self._sorted)
        after = chr(ord("/") + 1)
        first, end = (bisect_left(self._sorted, folder + mark) for mark in ("/", after))
        return list(self._sorted[first:end])

    def at(self, path: str) -> list[str]:
        """Return the file of that name, or the files in the folder; links are left out."""
        return [path] if self.is_file(path) else [*filter(self.is_file, self.below(path))]

    def kustomizations(self) -> list[str]:
        return [path for path in self._sorted if is_kustomization(path) and self.is_file(path)]


def path_bytes(path: str) -> bytes:
    """Return a path as globs match it."""
    return path.encode("utf-8", "surrogateescape")


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders that a file is in, the innermost first; `.` is the root."""
    while path not in {"", "."}:
        path = posixpath.dirname(path) or "."
        yield path
