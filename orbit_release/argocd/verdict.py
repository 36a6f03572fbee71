"""Is this Argo CD application running our images? A pure verdict on what was seen, one look after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from orbit_release.argocd.observation import FAULTY, WELL, Observation, Operation, Resource, owners_of
from orbit_release.image import ImageReference, not_among
from orbit_release.manifests.workloads import Owners

ERRORS_LAST = 10  # looks
# Of what keeps Argo CD from comparing, that which the manifests are the cause of; servers and clusters come back.
_OF_MANIFESTS = ("Manifest generation error", "kustomize build", "helm template", "nmarshal", "path does not exist")
# These are as well as the pods behind them: what is Degraded in them may pass, and is no outage of its own.
FOLLOWING = ("Service", "Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget")


class Relation(StrEnum):
    """How a revision that Argo CD names stands to the awaited one."""

    OURS = "ours"  # the awaited revision or a descendant of it
    OLDER = "older"
    UNRELATED = "unrelated"
    NONE = "none"  # Argo CD names none


@dataclass(frozen=True, slots=True)
class Look:
    """An observation, and what git says of it.

    `compared` and `operated` are about the revisions of the last comparison and the last operation. `images` must run,
    by the manifests at the revision. `replaced_by` is the later release that put something else in the place of ours.
    `released` are the services that ours or a later one changed. `older` was applied before, as far as that was seen.
    """

    observation: Observation
    compared: Relation
    operated: Relation = Relation.NONE
    images: tuple[ImageReference, ...] = ()
    replaced_by: str | None = None
    released: tuple[str, ...] = ()
    owners: Owners = field(default_factory=dict)
    older: str = ""

    def owners_of(self, resource: Resource | None) -> tuple[str, ...]:
        return owners_of(resource, self.owners) if resource else ()

    def released_of(self, resource: Resource | None) -> list[str]:
        return [name for name in self.owners_of(resource) if name in self.released]


Key: TypeAlias = tuple[str, ...]  # of a resource; () stands for the application


@dataclass(frozen=True, slots=True)
class PastLooks:
    """What the next look must know.

    `degraded` was so before our revision `is_applied` (None: nobody has looked yet), `turned` became so since.
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
    """It will not, unless somebody mends it; `resource` is the cause, where it is known.

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


def verdict_on(look: Look, past: PastLooks) -> tuple[Verdict, PastLooks]:
    now = _past_with(look, past)
    if look.replaced_by:
        return Superseded(look.replaced_by), now
    if failure := _failure(look, past, now):
        return failure, now
    errors = look.observation.errors
    reason = (
        (f"Argo CD to compare: {errors[0]}" if errors else "")
        or _revision_reason(look)
        or _operation_reason(look)
        or _health_reason(look.observation)
        or _images_reason(look)
    )
    return (Waiting(reason) if reason else Ready()), now


def _past_with(look: Look, past: PastLooks) -> PastLooks:
    degraded = frozenset(_degraded(look.observation))
    if past.degraded:  # an application that does not say what is Degraded tells nothing new then
        degraded -= {()}
    # What is seen can be an effect of our revision: comparing with it changes nothing yet.
    has_begun = look.operated is Relation.OURS or look.observation.sync == "Synced"
    can_be_ours = look.compared is Relation.OURS or (look.compared is Relation.NONE and past.is_applied)
    is_applied = can_be_ours and (past.is_applied or has_begun)
    before = _degraded_before(look, past, degraded, is_applied=is_applied)
    now = PastLooks(before, degraded - before if is_applied else frozenset(), past.is_applied or is_applied)
    # Of an error at an older revision ours may be the end; where manifests cannot be read, no revision is named.
    if not look.observation.errors or look.compared not in (Relation.OURS, Relation.NONE):
        return now
    return replace(now, erred_at=past.erred_at or look.observation.reconciled_at, erred=past.erred + 1)


def _degraded(observation: Observation) -> dict[Key, Resource | None]:
    """Return what makes the application Degraded; where no resource is named, the application itself.

    What is Degraded in an application that is not, Argo CD was told to ignore.
    """
    if observation.health != "Degraded":
        return {}
    degraded = [resource for resource in observation.resources if resource.health == "Degraded"]
    if not degraded:
        return {(): None}
    return {resource.key: resource for resource in degraded if resource.kind not in FOLLOWING}


def _degraded_before(look: Look, past: PastLooks, degraded: frozenset[Key], *, is_applied: bool) -> frozenset[Key]:
    """Return what was Degraded before ours was applied, and was not seen well since.

    At the first look the times tell what was so before our operation began. An application that was Degraded without
    naming a resource stands for what it names first.
    """
    observation, operation = look.observation, look.observation.operation
    if past.degraded is None and is_applied:
        began = operation.started_at if operation and look.operated is Relation.OURS else ""
        return frozenset() if began and observation.health_since > began else degraded
    before = past.degraded or frozenset()
    if () in before and any(resource.health for resource in observation.resources):
        before = before - {()} | degraded
    if look.compared is Relation.OLDER or not (is_applied or past.is_applied):
        before |= degraded
    well = {resource.key for resource in observation.resources if resource.health in WELL}
    return before - well - ({()} if observation.health in WELL else set())


def _failure(look: Look, past: PastLooks, now: PastLooks) -> Failed | None:
    observation, operation = look.observation, look.observation.operation
    degraded = _degraded(observation)
    turned = tuple(resource for key in sorted(now.turned) if (resource := degraded[key]))
    if observation.is_deleted:
        return Failed(None, "the application is being deleted")
    if operation and operation.phase in FAULTY and not observation.is_running and look.operated is Relation.OURS:
        cause = next(iter(operation.faults), None) or _likeliest(look, turned)
        message = (cause.message if cause else "") or operation.message
        return Failed(cause, message or f"the operation is {operation.phase}", turned)
    error = next((error for error in observation.errors if any(words in error for words in _OF_MANIFESTS)), "")
    if error and now.erred > ERRORS_LAST and past.erred_at and observation.reconciled_at > past.erred_at:
        return Failed(None, error)
    # All that is to turn Degraded was so in two looks: what fails together is told together.
    if now.turned and now.turned <= past.turned:
        cause = _likeliest(look, turned)
        message = cause.message if cause else observation.health_message
        return Failed(cause, message or "it is Degraded", turned)
    return None


def _likeliest(look: Look, turned: Sequence[Resource]) -> Resource | None:
    """Return the likeliest cause: what was released comes first."""
    return min(turned, key=lambda resource: (not look.released_of(resource), resource.key), default=None)


def _revision_reason(look: Look) -> str:
    if look.compared is Relation.OURS:
        return ""
    if look.compared is Relation.NONE:
        return "Argo CD to name a revision"
    astray = ", which does not lead there" if look.compared is Relation.UNRELATED else ""
    return f"Argo CD to see the revision: it is at {look.observation.revision[:7]}{astray}"


def _operation_reason(look: Look) -> str:
    observation, operation = look.observation, look.observation.operation
    is_ours = operation is None or look.operated is Relation.OURS
    older = f" at {operation.revision[:7]}" if operation and operation.revision and not is_ours else ""
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


def _health_reason(observation: Observation) -> str:
    if observation.health == "Healthy":
        return ""
    # Argo CD takes the worst of them for the application's own.
    cause = next((resource for resource in observation.resources if resource.health == observation.health), None)
    message = (cause.message if cause else "") or observation.health_message
    parts = [observation.health or "Unknown", str(cause or ""), message]
    return f"health: it is {': '.join(filter(None, parts))}"


def missing_images(look: Look) -> list[ImageReference]:
    return not_among(look.images, look.observation.images)


def _images_reason(look: Look) -> str:
    missing = missing_images(look)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{missing[0]}{more} to run" if missing else ""
