"""Is the release to blame for a failure? What a person would roll back, and what may go back by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orbit_release.core.health import FOLLOWING, Failed, Look
from orbit_release.core.observation import Resource

_WELL = ("", "Healthy", "Suspended")
_RUN_TO_AN_END = ("CronJob", "Job")  # what is Degraded in them may be an older run
# Of the errors that keep Argo CD from comparing, only those of the manifests can come from a release.
_OF_MANIFESTS = "target state"
_PASSING = ("code = Unavailable", "code = DeadlineExceeded")


@dataclass(frozen=True, slots=True)
class Blame:
    """The released services whose workloads turned Degraded; where there are none to go back, `instead` says why."""

    services: tuple[str, ...] = ()
    instead: str = ""


def blame(failed: Failed, look: Look, released: Collection[str]) -> Blame:
    """Tell which of the services that were released may go back without anybody's word: in doubt, none."""
    workloads = [one for one in failed.turned if one.kind not in _RUN_TO_AN_END]
    owners = (name for one in workloads for name in look.owners_of(one))
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
    ill = (one for one in look.observation.resources if one.health not in _WELL and one.kind not in FOLLOWING)
    return next((one for one in ill if not look.owners_of(one)), None)


def rollback_command(failed: Failed, look: Look, revision: str) -> str:
    """Return the command that takes back what is to blame, "" where no release since the wanted revision is."""
    return command(_blamed_by_a_person(failed, look), look, revision)


def _blamed_by_a_person(failed: Failed, look: Look) -> list[str]:
    names, elsewhere = look.released_of(failed.resource), outage(look)
    if look.owners_of(failed.resource):
        return names
    if failed.resource:  # a sync that failed on something else, unless that is what is ill
        is_ill = bool(failed.resource.health) or (elsewhere is not None and str(elsewhere) == str(failed.resource))
        return [] if is_ill else list(look.released)
    is_passing = any(one in failed.message for one in _PASSING) or _OF_MANIFESTS not in failed.message
    return [] if failed.message in look.observation.errors and is_passing else list(look.released)


def progressing(look: Look) -> list[str]:
    """Return the released services of which a workload is still on its way."""
    ours = (name for one in look.observation.resources if one.health == "Progressing" for name in look.released_of(one))
    return list(dict.fromkeys(ours))


def command(names: Sequence[str], look: Look, revision: str) -> str:
    """Return the command that takes released services back, "" for none."""
    if len(names) > 1 and set(names) == set(look.released):
        return f"orbit-release rollback --all --to {revision[:7]}^"
    return " && ".join(f"orbit-release rollback {name}" for name in names)
