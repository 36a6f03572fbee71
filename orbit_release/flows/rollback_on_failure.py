"""bump --wait --rollback-on-failure: a release is waited for once it is published, and taken back where it failed."""

from __future__ import annotations

from collections.abc import Callable

from orbit_release.argocd.verdict import Failed, Look
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.publish_until_landed import Published
from orbit_release.flows.put_back import RollbackOutcome
from orbit_release.flows.wait import WaitResult, fault_of
from orbit_release.text import printable

Rollback = Callable[[Failed, Look, Published | None], RollbackOutcome]


def see_through(
    wait: Callable[[str | None], WaitResult],
    published: Published | None,
    roll_back: Rollback | None,
    say: Callable[[str], None],
) -> tuple[WaitResult, OrbitReleaseError | None, RollbackOutcome | None]:
    """Wait for a release (None: there was nothing to do, and what is deployed is waited for).

    Return how that ended, what there is to complain about, and what `roll_back` did about it (None: nothing). What
    comes next is the hint of the complaint.
    """
    commit = published.landed.commit if published else None
    try:
        result = wait(commit)
    except KeyboardInterrupt:
        if commit:
            say(f"{commit[:7]} is published all the same: orbit-release wait --revision {commit[:7]}")
        raise
    fault = fault_of(result)
    return result, fault, _take_back(result, published, fault, roll_back, say) if fault and roll_back else None


def _take_back(
    result: WaitResult,
    published: Published | None,
    fault: OrbitReleaseError,
    roll_back: Rollback,
    say: Callable[[str], None],
) -> RollbackOutcome | None:
    failed, look = result.verdict, result.look
    if not (isinstance(failed, Failed) and look):
        return None
    say(f"{printable(fault.message)}: looking for what to roll back")
    try:
        rolled = roll_back(failed, look, published)
    except OrbitReleaseError as error:
        fault.hint = f"the rollback failed, {error.message}; {result.rollback or error.hint}"
        return None
    except KeyboardInterrupt:
        say("a rollback was on its way: orbit-release history tells whether it arrived")
        raise
    fault.hint = _next_step(rolled, result)
    return rolled


def _next_step(rolled: RollbackOutcome, result: WaitResult) -> str:
    if rolled.published is None and rolled.left:
        why = ", ".join(f"{name} {reason}" for name, reason in rolled.left.items())
        return f"nothing is rolled back ({why}); look at it first: orbit-release history"
    if rolled.published is None:
        why = rolled.instead or "it had the same tag before"
        return f"nothing is rolled back ({why}); {result.rollback or f'argocd app get {result.application}'}"
    names = " ".join(step.service for step in rolled.published.notes.steps)
    told = f"{rolled.published.landed.commit[:7]} took {names} back; "
    if result.look and result.look.observation.is_running:
        # https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/: one operation at a time
        told += f"Argo CD syncs it once the failed sync has ended: argocd app terminate-op {result.application}; "
    held = " ".join(rolled.published.notes.holds)
    return f"{told}once it is mended: {f'orbit-release unhold {held}' if held else 'bump it by hand'}"
