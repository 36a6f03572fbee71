"""An Argo CD application at one moment, as its API tells: strict about types, lenient about what is missing.

https://argo-cd.readthedocs.io/en/stable/developer-guide/api-docs/ (swagger: v1alpha1Application)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference
from orbit_release.manifests.workloads import Owners

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
# Of the conditions, those that tell why an application cannot be compared with git.
_ERRORS = ("ComparisonError", "InvalidSpecError", "UnknownError")
FAULTY = ("Failed", "Error")
WELL = ("Healthy", "Suspended")  # what rests is well, too

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of an application; `health`, `message` and `sync` are "" where they are not known."""

    kind: str
    name: str
    group: str = ""
    namespace: str = ""
    health: str = ""
    message: str = ""
    sync: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def is_ill(self) -> bool:
        return self.health not in ("", *WELL)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.group, self.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Operation:
    """The last synchronization; times are RFC 3339 in UTC, "" where there is none; `faults`: what it failed on."""

    phase: str
    revision: str = ""
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    retries: int = 0
    faults: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """An application as its API tells; `revision` is what it was compared with, and "" where that is not known.

    `resources` has no hooks, which are no part of its health. `operation` is never a dry run: neither changes what
    runs. `is_requested`: an operation is about to begin. `images` are what the pods run, `history` the revisions that
    were synced. `health_since` is when the health became what it is.
    """

    revision: str = ""
    sync: str = ""
    health: str = ""
    health_message: str = ""
    health_since: str = ""
    reconciled_at: str = ""
    operation: Operation | None = None
    is_requested: bool = False
    is_deleted: bool = False
    errors: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    images: frozenset[ImageReference] = frozenset()
    history: tuple[str, ...] = ()
    name: str = ""

    @classmethod
    def read(cls, document: dict[str, Any], source: int | None = None) -> Observation:
        """Read what Argo CD answers; InvalidError if a field has a wrong type. `source` is which of several is ours."""
        metadata, status = _mapping(document, "metadata"), _mapping(document, "status")
        sync, health = _mapping(status, "sync"), _mapping(status, "health")
        images = map(ImageReference.read, _list(_mapping(status, "summary"), "images", str))
        return cls(
            revision=_revision(sync, source),
            sync=_text(sync, "status"),
            health=_text(health, "status"),
            health_message=_line(health, "message"),
            health_since=_time(health, "lastTransitionTime"),
            reconciled_at=_time(status, "reconciledAt"),
            operation=_operation(status, source),
            is_requested=bool(_mapping(document, "operation")),
            is_deleted=bool(_time(metadata, "deletionTimestamp")),
            errors=tuple(_errors(status)),
            resources=tuple(
                replace(_resource(resource, _mapping(resource, "health")), sync=_text(resource, "status"))
                for resource in _list(status, "resources", dict)
                if resource.get("hook") is not True
            ),
            images=frozenset(image for image in images if image),
            history=tuple(_revision(synced, source) for synced in _list(status, "history", dict)),
            name=_text(metadata, "name"),
        )

    @property
    def is_running(self) -> bool:
        """Whether an operation runs, or is about to."""
        return self.is_requested or (self.operation is not None and self.operation.phase in ("Running", "Terminating"))


def _operation(status: dict[str, Any], source: int | None) -> Operation | None:
    state = _mapping(status, "operationState")
    result, asked = _mapping(state, "syncResult"), _mapping(_mapping(state, "operation"), "sync")
    if not state or asked.get("dryRun") is True:
        return None
    retries = str(state.get("retryCount") or 0)  # the gateway writes 64-bit numbers as text
    if not retries.isdecimal():
        raise _wrong("retryCount", "number")
    return Operation(
        _text(state, "phase"),
        _revision(result, source) or _revision(asked, source),
        _line(state, "message"),
        _time(state, "startedAt"),
        _time(state, "finishedAt"),
        int(retries),
        tuple(_faults(result)),
    )


def _faults(result: dict[str, Any]) -> Iterator[Resource]:
    for resource in _list(result, "resources", dict):
        if _text(resource, "status") == "SyncFailed" or _text(resource, "hookPhase") in FAULTY:
            yield _resource(resource, {"message": _text(resource, "message")})


def _resource(resource: dict[str, Any], health: dict[str, Any]) -> Resource:
    kind, name, group, namespace = (_text(resource, key) for key in ("kind", "name", "group", "namespace"))
    return Resource(kind, name, group, namespace, _text(health, "status"), _line(health, "message"))


def _errors(status: dict[str, Any]) -> Iterator[str]:
    for condition in _list(status, "conditions", dict):
        if _text(condition, "type") in _ERRORS:
            yield f"{_text(condition, 'type')}: {_line(condition, 'message')}"


def _revision(sync: dict[str, Any], source: int | None) -> str:
    """Return the revision; of an application with several sources that of one of them."""
    revisions, place = _list(sync, "revisions", str), source or 0
    if revisions:
        return revisions[place] if place < len(revisions) else ""
    return _text(sync, "revision")


def _value(mapping: dict[str, Any], key: str, kind: type[T], noun: str) -> T:
    """Return a value; the empty one of its type where there is none."""
    value = mapping.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise _wrong(key, noun)
    return value


_mapping = partial(_value, kind=dict, noun="mapping")
_text = partial(_value, kind=str, noun="text")


def _line(mapping: dict[str, Any], key: str) -> str:
    return " ".join(_text(mapping, key).split())


def _list(mapping: dict[str, Any], key: str, kind: type[T]) -> list[T]:
    noun = f"list of {'texts' if kind is str else 'mappings'}"
    items = _value(mapping, key, list, noun)
    if not all(isinstance(item, kind) for item in items):
        raise _wrong(key, noun)
    return items


def _time(mapping: dict[str, Any], key: str) -> str:
    text = _text(mapping, key)
    if text and not _TIME.fullmatch(text):
        raise _wrong(key, "time in UTC")
    return text


def _wrong(key: str, noun: str) -> InvalidError:
    return InvalidError(f"{key} is no {noun}", "it may be no Argo CD, or one of another time.")


def owners_of(resource: Resource, owners: Owners) -> tuple[str, ...]:
    """Return the services of a workload in the cluster; one that names no namespace may be in any."""
    key = (resource.kind, resource.namespace, resource.name)
    return owners[key] if key in owners else owners.get((resource.kind, "", resource.name), ())
