"""Manifests as plain values: for what only reads them, and needs no place of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_POD = ("spec", "template", "spec")
CRON_JOB_POD = ("spec", "jobTemplate", *_POD)

Document = dict[str, Any]


def read_documents(data: bytes) -> list[Document] | None:
    """Return the objects of a manifest, those of lists one by one; None where it is no YAML."""
    try:
        return [one for document in yaml.load_all(data, Loader=_LOADER) for one in _items(document)]
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that is none, or no UTF-8
        return None


def _items(document: Any) -> Iterator[Document]:
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _items(item)
    elif isinstance(document, dict):
        yield document


def at(value: Any, *path: str) -> Any:
    """Return what a path of keys leads to; None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def each(value: Any, *path: str) -> list[Any]:
    """Return the items of the list that a path leads to; none where there is no list."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def pod_place(document: Document) -> tuple[str, ...] | None:
    """Return where an object keeps the specification of its pods; None where it makes none."""
    places = (CRON_JOB_POD, _POD, ("spec",))
    return next((place for place in places if isinstance(at(document, *place, "containers"), list)), None)


def images(pod: Any) -> list[str]:
    """Return the images of a pod's containers, as they are written."""
    containers = [one for kind in ("initContainers", "containers") for one in each(pod, kind)]
    return [image for one in containers if isinstance(image := at(one, "image"), str)]


def same_but_for_images(one: bytes | None, other: bytes | None, is_ours: Callable[[str], bool]) -> bool:
    """Whether two states of a manifest (None: there is none) differ in certain images and in comments only."""
    if one is None or other is None:
        return one == other
    before, after = read_documents(one), read_documents(other)
    try:
        return before is not None and _without_images(before, is_ours) == _without_images(after, is_ours)
    except RecursionError:  # an anchor that holds itself
        return False


def _without_images(value: Any, is_ours: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_without_images(one, is_ours) for one in value]
    if not isinstance(value, dict):
        return value
    named, image = str(value.get("newName") or value.get("name") or ""), str(value.get("image") or "")
    left_out = {*(("image",) if is_ours(image) else ()), *(("newTag", "digest") if is_ours(named) else ())}
    return {key: _without_images(one, is_ours) for key, one in value.items() if key not in left_out}
