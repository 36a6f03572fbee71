"""An Argo CD application at one moment, as its API tells: strict about types, lenient about what is missing.

https://argo-cd.readthedocs.io/en/stable/developer-guide/api-docs/ (swagger: v1alpha1Application)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from orbit_release.errors import InvalidError
from orbit_release.manifests.workloads import Owners

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
# Of the conditions, those that tell why an application cannot be compared with git.
_ERRORS = ("ComparisonError", "InvalidSpecError", "UnknownError")
_FAULTY = ("Failed", "Error")
WELL = ("Healthy", "Suspended")  # what rests is well, too


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
        """Whether it is known not to be well."""
        return self.health not in ("", *WELL)

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others, however it is."""
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

    `resources` are without hooks, which are no part of its health, and `operation` is none that only tried: neither
    changes what runs. `history` are the revisions that were synced. `is_requested`: an operation is about to begin.
    `health_since` is when the health became what it is.
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
    images: frozenset[str] = frozenset()
    history: tuple[str, ...] = ()

    @classmethod
    def read(cls, document: Any, source: int | None = None) -> Observation:
        """Read what Argo CD answers, InvalidError if a field has a wrong type; `source` is the one of several."""
        status = _mapping(_mapping(document, "the answer"), "status")
        sync, health = _mapping(status, "sync"), _mapping(status, "health")
        return cls(
            _revision(sync, source),
            _text(sync, "status"),
            _text(health, "status"),
            _line(health, "message"),
            _time(health, "lastTransitionTime"),
            _time(status, "reconciledAt"),
            _operation(status, source),
            bool(_mapping(document, "operation")),
            bool(_time(_mapping(document, "metadata"), "deletionTimestamp")),
            tuple(_errors(status)),
            tuple(_managed(one) for one in _mappings(status, "resources") if one.get("hook") is not True),
            frozenset(_texts(_mapping(status, "summary"), "images")),
            tuple(_revision(one, source) for one in _mappings(status, "history")),
        )

    @property
    def is_running(self) -> bool:
        """Whether an operation runs, or is about to."""
        return self.is_requested or (self.operation is not None and self.operation.phase in ("Running", "Terminating"))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of the application of a name."""

    name: str
    observation: Observation


def _operation(status: dict[str, Any], source: int | None) -> Operation | None:
    state = _mapping(status, "operationState")
    result, asked = _mapping(state, "syncResult"), _mapping(_mapping(state, "operation"), "sync")
    if not state or asked.get("dryRun") is True:
        return None
    return Operation(
        _text(state, "phase"),
        _revision(result, source) or _revision(asked, source),
        _line(state, "message"),
        _time(state, "startedAt"),
        _time(state, "finishedAt"),
        _number(state, "retryCount"),
        tuple(_faults(result)),
    )


def _faults(result: dict[str, Any]) -> Iterator[Resource]:
    for one in _mappings(result, "resources"):
        if _text(one, "status") == "SyncFailed" or _text(one, "hookPhase") in _FAULTY:
            yield _resource(one, {"message": _text(one, "message")})


def _managed(one: dict[str, Any]) -> Resource:
    return replace(_resource(one, _mapping(one, "health")), sync=_text(one, "status"))


def _resource(one: dict[str, Any], health: dict[str, Any]) -> Resource:
    kind, name, group, namespace = (_text(one, key) for key in ("kind", "name", "group", "namespace"))
    return Resource(kind, name, group, namespace, _text(health, "status"), _line(health, "message"))


def _errors(status: dict[str, Any]) -> Iterator[str]:
    for one in _mappings(status, "conditions"):
        if _text(one, "type") in _ERRORS:
            yield f"{_text(one, 'type')}: {_line(one, 'message')}"


def _revision(sync: dict[str, Any], source: int | None) -> str:
    """Return the revision, of an application with a list of sources that of one of them."""
    several, place = _texts(sync, "revisions"), source or 0
    if several:
        return several[place] if place < len(several) else ""
    return _text(sync, "revision")


def _wrong(what: str, wanted: str) -> InvalidError:
    return InvalidError(f"{what} is no {wanted}", "it may be no Argo CD, or one of another time.")


def _mapping(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) and key != "the answer" else value
    if found is not None and not isinstance(found, dict):
        raise _wrong(key, "mapping")
    return found or {}


def _mappings(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key)
    found = [] if found is None else found
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _wrong(key, "list of mappings")
    return found


def _texts(value: dict[str, Any], key: str) -> list[str]:
    found = value.get(key)
    found = [] if found is None else found
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _wrong(key, "list of texts")
    return found


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise _wrong(key, "text")
    return found or ""


def _line(value: dict[str, Any], key: str) -> str:
    return " ".join(_text(value, key).split())


def _number(value: dict[str, Any], key: str) -> int:
    # The gateway writes 64-bit numbers as text.
    found = value.get(key) or 0
    if isinstance(found, str) and found.isdecimal():
        return int(found)
    if not isinstance(found, int) or isinstance(found, bool):
        raise _wrong(key, "number")
    return found


def _time(value: dict[str, Any], key: str) -> str:
    found = _text(value, key)
    if found and not _TIME.fullmatch(found):
        raise _wrong(key, "time in UTC")
    return found


def owners_of(resource: Resource, owners: Owners) -> tuple[str, ...]:
    """Return the services of a workload in the cluster; one that names no namespace may be in any."""
    own = (resource.kind, resource.namespace, resource.name)
    return owners[own] if own in owners else owners.get((resource.kind, "", resource.name), ())
