"""Is this Argo CD application running our images? A pure verdict on what was seen, one look after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from orbit_release.core.observation import Observation, Operation, Resource
from orbit_release.core.workload import not_running

_DIGITS = 7
_BROKEN = ("Failed", "Error")


class Relation(StrEnum):
    """How a revision that Argo CD names stands to the wanted one."""

    OURS = "ours"  # the wanted revision or a descendant of it
    OLDER = "older"
    UNRELATED = "unrelated"
    NONE = "none"  # Argo CD names none


@dataclass(frozen=True, slots=True)
class Look:
    """An observation, and what git says of it.

    `images` are the references that must run, by the manifests at the revision; `replaced_by` is the later release
    that has put something else in the place of ours. `released` are the services that ours has changed, or a later
    one, and `owners` those that a workload, by kind and name, runs images of.
    """

    observation: Observation
    compared: Relation
    operated: Relation = Relation.NONE
    images: tuple[str, ...] = ()
    replaced_by: str | None = None
    released: tuple[str, ...] = ()
    owners: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def owners_of(self, resource: Resource | None) -> tuple[str, ...]:
        """Return the services that a resource runs images of."""
        return self.owners.get((resource.kind, resource.name), ()) if resource else ()

    def released_of(self, resource: Resource | None) -> list[str]:
        """Return those of them that were released."""
        return [name for name in self.owners_of(resource) if name in self.released]


@dataclass(frozen=True, slots=True)
class Past:
    """What of the looks before matters to the next.

    `degraded` was so before our revision was applied (None: nobody has looked yet), `turned` became so since;
    `erred_at` is the reconciliation that first met an error.
    """

    degraded: frozenset[tuple[str, ...]] | None = None
    turned: frozenset[tuple[str, ...]] = frozenset()
    erred_at: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The application runs our images."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet, and what for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not, unless somebody mends it: the resource that is the cause, where it is known, and its message.

    `turned` are the resources that turned Degraded since ours was applied.
    """

    resource: Resource | None
    message: str
    turned: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class Superseded:
    """A later release has taken the place of ours."""

    commit: str


Verdict: TypeAlias = Ready | Waiting | Failed | Superseded


def judge(look: Look, past: Past) -> tuple[Verdict, Past]:
    """Return the verdict on a look, and what the next one must know."""
    seen = _remembered(look, past)
    if look.replaced_by:
        return Superseded(look.replaced_by), seen
    if failed := _failure(look, past, seen):
        return failed, seen
    reason = _reason(look)
    return (Waiting(reason) if reason else Ready()), seen


def _remembered(look: Look, past: Past) -> Past:
    bad = frozenset(_degraded(look.observation))
    erred_at = (past.erred_at or look.observation.reconciled_at) if _errs(look) else None
    if not _is_applied(look):
        return Past(bad, erred_at=erred_at)
    if past.degraded is None:
        before = _from_before(look.observation, bad)
    else:
        before = bad if () in past.degraded else past.degraded & bad
    return Past(before, bad - before, erred_at)


def _degraded(observation: Observation) -> dict[tuple[str, ...], Resource | None]:
    """Return what is Degraded; where no resource is named, the application itself, which has no key."""
    found: dict[tuple[str, ...], Resource | None] = {
        one.key: one for one in observation.resources if one.health == "Degraded"
    }
    return found or ({(): None} if observation.health == "Degraded" else {})


def _is_applied(look: Look) -> bool:
    """Whether what is seen can be an effect of our revision: comparing with it changes nothing yet."""
    if look.compared is not Relation.OURS:
        return False
    return look.operated is Relation.OURS or look.observation.sync == "Synced"


def _from_before(observation: Observation, bad: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """Return what of the first look was Degraded before our operation began, as far as the times tell."""
    began = observation.operation.started_at if observation.operation else ""
    return frozenset() if began and observation.health_since >= began else bad


def _errs(look: Look) -> bool:
    # Of an error at an older revision ours may be the end; where manifests cannot be read, no revision is named.
    return bool(look.observation.errors) and look.compared in (Relation.OURS, Relation.NONE)


def _failure(look: Look, past: Past, seen: Past) -> Failed | None:
    observation, operation = look.observation, look.observation.operation
    bad = _degraded(observation)
    turned = tuple(resource for key in sorted(seen.turned) if (resource := bad[key]))
    if observation.is_deleted:
        return Failed(None, "the application is being deleted")
    if operation and operation.phase in _BROKEN and not observation.is_running and look.operated is Relation.OURS:
        return _broken(operation, turned)
    # In two reconciliations: it was not a bad second of Argo CD's repository server.
    if seen.erred_at and past.erred_at and observation.reconciled_at > past.erred_at:
        return Failed(None, observation.errors[0])
    # Two looks in a row as well: an autoscaler without figures is Degraded for a moment.
    if lasting := seen.turned & past.turned:
        # Of several, what was released is the likeliest cause.
        resource = bad[min(lasting, key=lambda key: (not look.released_of(bad[key]), key))]
        said = resource.message if resource else observation.health_message
        return Failed(resource, said or "it is Degraded", turned)
    return None


def _broken(operation: Operation, turned: tuple[Resource, ...]) -> Failed:
    first = next(iter(operation.faults), None)
    said = first.message if first and first.message else operation.message
    return Failed(first, said or f"the operation is {operation.phase}", turned)


def _reason(look: Look) -> str:
    """Return what is waited for, or ""."""
    return (
        _revision_reason(look)
        or _operation_reason(look)
        or _errors_reason(look)
        or _health_reason(look.observation)
        or _images_reason(look)
    )


def _revision_reason(look: Look) -> str:
    revision = look.observation.revision[:_DIGITS]
    match look.compared:
        case Relation.OURS:
            return ""
        case Relation.OLDER:
            return f"Argo CD to see the revision: it is at {revision}"
        case Relation.UNRELATED:
            return f"Argo CD to see the revision: it is at {revision}, which does not lead there"
        case Relation.NONE:
            errors = look.observation.errors
            return f"Argo CD to compare: {errors[0]}" if errors else "Argo CD to name a revision"


def _operation_reason(look: Look) -> str:
    observation, operation = look.observation, look.observation.operation
    older = f" at {operation.revision[:_DIGITS]}" if operation and look.operated is not Relation.OURS else ""
    if observation.is_running:
        return f"the operation{older} to end{_told(operation)}"
    if observation.sync != "Synced":
        return f"a sync: it is {observation.sync or 'Unknown'}"
    if operation and operation.phase != "Succeeded":
        return f"an operation that succeeds: the last one{older} is {operation.phase or 'unknown'}{_told(operation)}"
    if operation and operation.finished_at > observation.reconciled_at:
        return "Argo CD to look at what the operation did"
    return ""


def _told(operation: Operation | None) -> str:
    if operation is None:
        return ""
    retries = f" (retry {operation.retries})" if operation.retries else ""
    return retries + (f": {operation.message}" if operation.message else "")


def _errors_reason(look: Look) -> str:
    return f"Argo CD to compare: {look.observation.errors[0]}" if look.observation.errors else ""


def _health_reason(observation: Observation) -> str:
    if observation.health == "Healthy":
        return ""
    # Argo CD takes the worst of them for the application's own.
    cause = next((one for one in observation.resources if one.health == observation.health), None)
    what = f": {cause}" if cause else ""
    said = (cause.message if cause else "") or observation.health_message
    return f"health: it is {observation.health or 'Unknown'}{what}{f': {said}' if said else ''}"


def missing_images(look: Look) -> list[str]:
    """Return the references that must run and do not."""
    return not_running(look.images, look.observation.images)


def _images_reason(look: Look) -> str:
    missing = missing_images(look)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{missing[0]}{more} to run" if missing else ""
