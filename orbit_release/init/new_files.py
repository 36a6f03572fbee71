"""Files that a command adds to a person's folder: all of them or none, and never one in place of another."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from orbit_release.errors import ConflictError


def refuse_existing(folder: str, paths: Iterable[str]) -> None:
    """Raise ConflictError if something has one of the names already, a link that leads nowhere included."""
    there = [path for path in paths if os.path.lexists(os.path.join(folder, path))]
    if there:
        hint = "it is never overwritten: move it away first; --dry-run shows what would be written."
        raise ConflictError(f"{' and '.join(there)} {'are' if there[1:] else 'is'} there already", hint)


def write_new(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files by their paths in a folder; ConflictError, OSError: nothing was written."""
    refuse_existing(folder, files)
    _refuse_outside(folder, files)
    written: list[str] = []
    try:
        for path, data in files.items():
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "xb") as file:  # somebody may have been faster
                written.append(target)
                file.write(data)
    except BaseException:
        _remove(written)
        raise


def _refuse_outside(folder: str, paths: Collection[str]) -> None:
    top = os.path.realpath(folder)
    for path in paths:
        parent = os.path.realpath(os.path.dirname(os.path.join(folder, path)))
        if os.path.commonpath([top, parent]) != top:
            raise ConflictError(f"{path} would lie outside of the repository", "a folder on the way is a link.")


def _remove(files: Iterable[str]) -> None:
    for file in files:
        with suppress(OSError):
            os.unlink(file)
