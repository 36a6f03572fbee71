"""Is the release to blame for a failure? What a person would roll back, and what may go back by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orbit_release.argocd.observation import Resource
from orbit_release.argocd.verdict import FOLLOWING, Failed, Look, Relation, Verdict, Waiting

_RUN_TO_AN_END = ("CronJob", "Job")  # what is Degraded in them may be an older run


@dataclass(frozen=True, slots=True)
class Blame:
    """The released services whose workloads turned Degraded; where none may go back, `instead` says why."""

    services: tuple[str, ...] = ()
    instead: str = ""


def blame(failed: Failed, look: Look, released: Collection[str]) -> Blame:
    """Tell which of the released services may go back without asking anybody: in doubt, none."""

    def released_in(resource: Resource) -> list[str]:
        owners = () if resource.kind in _RUN_TO_AN_END else look.owners_of(resource)
        return [name for name in owners if name in released]

    names = tuple(dict.fromkeys(name for resource in failed.turned for name in released_in(resource)))
    if not names:
        cause = next(iter(failed.turned), failed.resource) or "what failed"
        return Blame(instead=f"{cause} is no workload of the release that turned Degraded")
    faults = look.observation.operation.faults if look.observation.operation else ()
    if foreign := next((resource for resource in faults if not released_in(resource)), None):
        return Blame(instead=f"the sync failed on {foreign}")
    elsewhere = outage(look)
    return Blame(instead=f"{elsewhere} is {elsewhere.health} as well") if elsewhere else Blame(names)


def outage(look: Look) -> Resource | None:
    """Return what is ill and runs no service's image: it may make a good release look bad.

    Argo CD never calls a StatefulSet Degraded: one whose pods are gone is Progressing.
    """
    resources = (resource for resource in look.observation.resources if resource.kind not in FOLLOWING)
    return next((resource for resource in resources if resource.is_ill and not look.owners_of(resource)), None)


def rollback_command(verdict: Verdict, look: Look) -> str:
    """Return the command that takes back what is to blame, or still on its way; "" where no release is."""
    names = []
    if isinstance(verdict, Failed):
        names = _to_blame(verdict.resource, look)
    elif isinstance(verdict, Waiting) and look.compared is Relation.OURS:
        late = (resource for resource in look.observation.resources if resource.health == "Progressing")
        names = [name for resource in late for name in look.released_of(resource)]
    return " && ".join(f"orbit-release rollback {name}" for name in dict.fromkeys(names))


def _to_blame(cause: Resource | None, look: Look) -> list[str]:
    """Return the services released since the awaited revision that a failure may come from."""
    if look.observation.is_deleted:
        return []
    if look.owners_of(cause):
        return look.released_of(cause)
    # What runs no service's image may be ill itself, and not only what a sync failed on.
    is_ill = cause and (cause.health or str(outage(look)) == str(cause))
    return [] if is_ill else list(look.released)
