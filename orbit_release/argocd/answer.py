"""What a path of keys leads to in an answer of Argo CD: JSON, of which nothing is taken for granted."""

from __future__ import annotations

from typing import Any


def at(value: Any, *path: str) -> Any:
    """Return what a path of keys leads to; None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def each(value: Any, *path: str) -> list[Any]:
    """Return the items of the list that a path leads to; none where there is no list."""
    listed = at(value, *path)
    return listed if isinstance(listed, list) else []
