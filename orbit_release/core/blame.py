"""Is the release to blame for a failure? What a person would roll back, and what may go back by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orbit_release.core.health import Failed, Look
from orbit_release.core.observation import Resource

_WELL = ("", "Healthy", "Suspended")
# These are as well as the pods behind them, and tell of no outage of their own.
_FOLLOWING = ("Service", "Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget")


@dataclass(frozen=True, slots=True)
class Blame:
    """The released services whose workloads turned Degraded; where there are none to go back, `instead` says why."""

    services: tuple[str, ...] = ()
    instead: str = ""


def blame(failed: Failed, look: Look, released: Collection[str]) -> Blame:
    """Tell which of the services that were released may go back without anybody's word: in doubt, none."""
    owners = (name for one in failed.turned for name in look.owners_of(one))
    names = tuple(dict.fromkeys(name for name in owners if name in released))
    if not names:
        cause = next(iter(failed.turned), failed.resource) or "what failed"
        return Blame(instead=f"{cause} is no workload of the release that turned Degraded")
    elsewhere = outage(look)
    return Blame(instead=f"{elsewhere} is {elsewhere.health} as well") if elsewhere else Blame(names)


def outage(look: Look) -> Resource | None:
    """Return what is ill and runs no service's image: it may make a good release look bad.

    Argo CD never calls a StatefulSet Degraded: one whose pods are gone is Progressing.
    """
    ill = (one for one in look.observation.resources if one.health not in _WELL and one.kind not in _FOLLOWING)
    return next((one for one in ill if not look.owners_of(one)), None)


def rollback_command(failed: Failed, look: Look, revision: str) -> str:
    """Return the command that takes back what is to blame, "" where no release since the wanted revision is."""
    names = look.released_of(failed.resource)
    if not look.owners_of(failed.resource) and not (failed.resource and failed.resource.health):
        names = list(look.released)  # a sync that failed, on whatever it was
    if len(names) == 1:
        return f"orbit-release rollback {names[0]}"
    return f"orbit-release rollback --all --to {revision[:7]}^" if names else ""
