"""Is the release to blame for a failure? What a person would roll back, and what may go back by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orbit_release.argocd.observation import Resource
from orbit_release.argocd.verdict import FOLLOWING, Failed, Look

_RUN_TO_AN_END = ("CronJob", "Job")  # what is Degraded in them may be an older run


@dataclass(frozen=True, slots=True)
class Blame:
    """The released services whose workloads turned Degraded; where there are none to go back, `instead` says why."""

    services: tuple[str, ...] = ()
    instead: str = ""


def blame(failed: Failed, look: Look, released: Collection[str]) -> Blame:
    """Tell which of the services that were released may go back without anybody's word: in doubt, none."""
    workloads = [one for one in failed.turned if _runs_released(one, look, released)]
    names = tuple(dict.fromkeys(name for one in workloads for name in look.owners_of(one) if name in released))
    if not names:
        cause = next(iter(failed.turned), failed.resource) or "what failed"
        return Blame(instead=f"{cause} is no workload of the release that turned Degraded")
    faults = look.observation.operation.faults if look.observation.operation else ()
    if other := next((one for one in faults if not _runs_released(one, look, released)), None):
        return Blame(instead=f"the sync failed on {other}")
    elsewhere = outage(look)
    return Blame(instead=f"{elsewhere} is {elsewhere.health} as well") if elsewhere else Blame(names)


def _runs_released(resource: Resource, look: Look, released: Collection[str]) -> bool:
    """Whether a resource is a workload of what was released, and one that is to run on and on."""
    return resource.kind not in _RUN_TO_AN_END and any(name in released for name in look.owners_of(resource))


def outage(look: Look) -> Resource | None:
    """Return what is ill and runs no service's image: it may make a good release look bad.

    Argo CD never calls a StatefulSet Degraded: one whose pods are gone is Progressing.
    """
    ill = (one for one in look.observation.resources if one.is_ill and one.kind not in FOLLOWING)
    return next((one for one in ill if not look.owners_of(one)), None)


def rollback_command(failed: Failed, look: Look) -> str:
    """Return the command that takes back what is to blame, "" where no release since the wanted revision is."""
    if look.observation.is_deleted or _is_ill(failed.resource, look):
        return ""
    return command(look.released_of(failed.resource) if look.owners_of(failed.resource) else look.released)


def _is_ill(resource: Resource | None, look: Look) -> bool:
    """Whether a resource of no service is what is ill, and not only what a sync failed on."""
    if resource is None or look.owners_of(resource):
        return False
    return bool(resource.health) or str(outage(look)) == str(resource)


def progressing(look: Look) -> list[str]:
    """Return the released services of which a workload is still on its way."""
    ours = (name for one in look.observation.resources if one.health == "Progressing" for name in look.released_of(one))
    return list(dict.fromkeys(ours))


def command(names: Iterable[str]) -> str:
    """Return the command that takes services back, "" for none."""
    return " && ".join(f"orbit-release rollback {name}" for name in names)
