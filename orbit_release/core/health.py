"""Is this Argo CD application running our images? A pure verdict on what was seen, one look after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from orbit_release.core.observation import Observation, Operation, Resource
from orbit_release.core.workload import Owners, not_running, owners_of

_DIGITS = 7
_BROKEN = ("Failed", "Error")
ERRORS_LAST = 10  # looks: while Argo CD's repository server restarts, nothing can be compared either
# These are as well as the pods behind them: what is Degraded in them may pass, and is no outage of its own.
FOLLOWING = ("Service", "Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget")


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
    one, and `owners` those that workloads run images of.
    """

    observation: Observation
    compared: Relation
    operated: Relation = Relation.NONE
    images: tuple[str, ...] = ()
    replaced_by: str | None = None
    released: tuple[str, ...] = ()
    owners: Owners = field(default_factory=dict)

    def owners_of(self, resource: Resource | None) -> tuple[str, ...]:
        """Return the services that a resource runs images of."""
        return owners_of(resource, self.owners) if resource else ()

    def released_of(self, resource: Resource | None) -> list[str]:
        """Return those of them that were released."""
        return [name for name in self.owners_of(resource) if name in self.released]


@dataclass(frozen=True, slots=True)
class Past:
    """What of the looks before matters to the next.

    `degraded` was so before our revision was applied (None: nobody has looked yet), `turned` became so since;
    `erred_at` is the reconciliation that first met an error, and `erred` counts the looks since then.
    """

    degraded: frozenset[tuple[str, ...]] | None = None
    turned: frozenset[tuple[str, ...]] = frozenset()
    erred_at: str | None = None
    erred: int = 0


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
    if past.degraded:  # an application that does not say what is Degraded tells nothing new then
        bad -= {()}
    before = _from_before(look, past, bad)
    turned = bad - before if _is_applied(look) else frozenset()
    if not _errs(look):
        return Past(before, turned)
    return Past(before, turned, past.erred_at or look.observation.reconciled_at, past.erred + 1)


def _degraded(observation: Observation) -> dict[tuple[str, ...], Resource | None]:
    """Return what makes the application Degraded; where no resource is named, itself, which has no key.

    What is Degraded in an application that is not, Argo CD was told to ignore.
    """
    if observation.health != "Degraded":
        return {}
    ill = [one for one in observation.resources if one.health == "Degraded"]
    return {one.key: one for one in ill if one.kind not in FOLLOWING} if ill else {(): None}


def _is_applied(look: Look) -> bool:
    """Whether what is seen can be an effect of our revision: comparing with it changes nothing yet."""
    if look.compared is not Relation.OURS:
        return False
    return look.operated is Relation.OURS or look.observation.sync == "Synced"


def _from_before(look: Look, past: Past, bad: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """Return what was Degraded before ours was applied, and was not seen well since.

    Of the first look that is what was so before our operation began, as far as the times tell. An application that
    was, without a word on what, stands for whatever it names later.
    """
    observation = look.observation
    if past.degraded is None and _is_applied(look):
        began = observation.operation.started_at if observation.operation else ""
        return frozenset() if began and observation.health_since >= began else bad
    known = past.degraded or frozenset()
    return (known if _is_applied(look) and () not in known else known | bad) - _well(observation)


def _well(observation: Observation) -> frozenset[tuple[str, ...]]:
    well = {one.key for one in observation.resources if one.health not in ("", "Degraded", "Unknown")}
    is_well = observation.health not in ("", "Degraded", "Unknown")
    return frozenset(well | ({()} if is_well else set()))


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
    if past.erred_at and observation.reconciled_at > past.erred_at and seen.erred > ERRORS_LAST:
        return Failed(None, observation.errors[0])
    # All that is to turn Degraded was so in two looks: what fails together is told together.
    lasting = seen.turned & past.turned
    if lasting and lasting == seen.turned:
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
        _with_errors(_revision_reason(look), look)
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
            return "Argo CD to name a revision"


def _with_errors(reason: str, look: Look) -> str:
    return _errors_reason(look) or reason if reason else ""


def _operation_reason(look: Look) -> str:
    observation, operation = look.observation, look.observation.operation
    older = f" at {operation.revision[:_DIGITS]}" if operation and look.operated is not Relation.OURS else ""
    if observation.is_running:
        return f"the operation{older} to end{_told(operation)}"
    if observation.sync != "Synced":
        return f"a sync: it is {observation.sync or 'Unknown'}"
    # One that failed at an older revision says nothing of ours, which is Synced without another one.
    if operation and operation.phase != "Succeeded" and not older:
        return f"an operation that succeeds: the last one is {operation.phase or 'unknown'}{_told(operation)}"
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
