"""Is this Argo CD application running our images? A pure verdict on what was seen, one look after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from orbit_release.argocd.observation import WELL, Observation, Operation, Resource, owners_of
from orbit_release.manifests.workloads import Owners, not_running

_DIGITS = 7
_BROKEN = ("Failed", "Error")
ERRORS_LAST = 10  # looks
# Of what keeps Argo CD from comparing, that which the manifests are the cause of; servers and clusters come back.
_OF_MANIFESTS = ("Manifest generation error", "kustomize build", "helm template", "nmarshal", "path does not exist")
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
    one, and `owners` those that workloads run images of. `older` is the revision that was applied before,
    as far as that was seen.
    """

    observation: Observation
    compared: Relation
    operated: Relation = Relation.NONE
    images: tuple[str, ...] = ()
    replaced_by: str | None = None
    released: tuple[str, ...] = ()
    owners: Owners = field(default_factory=dict)
    older: str = ""

    def owners_of(self, resource: Resource | None) -> tuple[str, ...]:
        """Return the services that a resource runs images of."""
        return owners_of(resource, self.owners) if resource else ()

    def released_of(self, resource: Resource | None) -> list[str]:
        """Return those of them that were released."""
        return [name for name in self.owners_of(resource) if name in self.released]


Key: TypeAlias = tuple[str, ...]  # of a resource; () stands for the application


@dataclass(frozen=True, slots=True)
class Past:
    """What of the looks before matters to the next.

    `degraded` was so before our revision `is_applied` (None: nobody has looked yet), `turned` became so since;
    `erred_at` is the reconciliation that first met an error, and `erred` counts the looks since then.
    """

    degraded: frozenset[Key] | None = None
    turned: frozenset[Key] = frozenset()
    is_applied: bool = False
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
    is_applied = _is_applied(look, past)
    before = _from_before(look, past, bad, is_applied=is_applied)
    applied_once = past.is_applied or is_applied
    turned = bad - before if is_applied else frozenset()
    if not _errs(look):
        return Past(before, turned, applied_once)
    return Past(before, turned, applied_once, past.erred_at or look.observation.reconciled_at, past.erred + 1)


def _degraded(observation: Observation) -> dict[Key, Resource | None]:
    """Return what makes the application Degraded; where no resource is named, the application itself.

    What is Degraded in an application that is not, Argo CD was told to ignore.
    """
    if observation.health != "Degraded":
        return {}
    ill = [one for one in observation.resources if one.health == "Degraded"]
    return {one.key: one for one in ill if one.kind not in FOLLOWING} if ill else {(): None}


def _is_applied(look: Look, past: Past) -> bool:
    """Whether what is seen can be an effect of our revision: comparing with it changes nothing yet."""
    if look.compared is Relation.OURS:
        return past.is_applied or look.operated is Relation.OURS or look.observation.sync == "Synced"
    return past.is_applied and look.compared is Relation.NONE  # it cannot be compared for a moment


def _from_before(look: Look, past: Past, bad: frozenset[Key], *, is_applied: bool) -> frozenset[Key]:
    """Return what was Degraded before ours was applied, and was not seen well since.

    Of the first look that is what was so before our operation began, as far as the times tell. An application that
    was, without a word on what, stands for what it names first.
    """
    observation, operation = look.observation, look.observation.operation
    if past.degraded is None and is_applied:
        began = operation.started_at if operation and look.operated is Relation.OURS else ""
        return frozenset() if began and observation.health_since > began else bad
    known = past.degraded or frozenset()
    if () in known and any(one.health for one in observation.resources):
        known = known - {()} | bad
    if look.compared is Relation.OLDER or not (is_applied or past.is_applied):
        known |= bad
    well = {one.key for one in observation.resources if one.health in WELL}
    return known - well - ({()} if observation.health in WELL else set())


def _errs(look: Look) -> bool:
    # Of an error at an older revision ours may be the end; where manifests cannot be read, no revision is named.
    return bool(look.observation.errors) and look.compared in (Relation.OURS, Relation.NONE)


def _is_lasting(error: str) -> bool:
    """Whether an error is one of the manifests."""
    return any(words in error for words in _OF_MANIFESTS)


def _failure(look: Look, past: Past, seen: Past) -> Failed | None:
    observation, operation = look.observation, look.observation.operation
    bad = _degraded(observation)
    turned = tuple(resource for key in sorted(seen.turned) if (resource := bad[key]))
    if observation.is_deleted:
        return Failed(None, "the application is being deleted")
    if operation and operation.phase in _BROKEN and not observation.is_running and look.operated is Relation.OURS:
        return _broken(look, operation, turned)
    lasting_error = next(filter(_is_lasting, observation.errors), "")
    if lasting_error and seen.erred > ERRORS_LAST and past.erred_at and observation.reconciled_at > past.erred_at:
        return Failed(None, lasting_error)
    # All that is to turn Degraded was so in two looks: what fails together is told together.
    lasting = seen.turned & past.turned
    if lasting and lasting == seen.turned:
        resource = _likeliest(look, turned)
        said = resource.message if resource else observation.health_message
        return Failed(resource, said or "it is Degraded", turned)
    return None


def _likeliest(look: Look, turned: Sequence[Resource]) -> Resource | None:
    """Return the likeliest cause: what was released."""
    return min(turned, key=lambda one: (not look.released_of(one), one.key), default=None)


def _broken(look: Look, operation: Operation, turned: tuple[Resource, ...]) -> Failed:
    first = next(iter(operation.faults), None) or _likeliest(look, turned)
    said = first.message if first and first.message else operation.message
    return Failed(first, said or f"the operation is {operation.phase}", turned)


def _reason(look: Look) -> str:
    """Return what is waited for, or ""."""
    return (
        _errors_reason(look.observation)
        or _revision_reason(look)
        or _operation_reason(look)
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


def _operation_reason(look: Look) -> str:
    observation, operation = look.observation, look.observation.operation
    is_ours = operation is None or look.operated is Relation.OURS
    older = f" at {operation.revision[:_DIGITS]}" if operation and operation.revision and not is_ours else ""
    if observation.is_running:
        return f"the operation{older} to end{_told(operation)}"
    if observation.sync != "Synced":
        return f"a sync: it is {observation.sync or 'Unknown'}"
    # One that failed at an older revision says nothing of ours, which is Synced without another one.
    if operation and operation.phase != "Succeeded" and look.operated is not Relation.OLDER:
        return f"an operation that succeeds: the last one{older} is {operation.phase or 'unknown'}{_told(operation)}"
    if operation and operation.finished_at > observation.reconciled_at:
        return "Argo CD to look at what the operation did"
    return ""


def _told(operation: Operation | None) -> str:
    if operation is None:
        return ""
    retries = f" (retry {operation.retries})" if operation.retries else ""
    return retries + (f": {operation.message}" if operation.message else "")


def _errors_reason(observation: Observation) -> str:
    return f"Argo CD to compare: {observation.errors[0]}" if observation.errors else ""


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
