"""bump --wait --rollback-on-failure: a release is waited for once it is published, and taken back where it failed."""

from __future__ import annotations

from collections.abc import Callable

from orbit_release.argocd.verdict import Failed, Look
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.publish_until_landed import Published
from orbit_release.flows.restore_images import RollbackOutcome
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
    fault, failed, look = fault_of(result), result.verdict, result.look
    if not (fault and roll_back and look and isinstance(failed, Failed)):
        return result, fault, None
    say(f"{printable(fault.message)}: looking for what to roll back")
    try:
        rolled = roll_back(failed, look, published)
    except OrbitReleaseError as error:
        fault.hint = f"the rollback failed, {error.message}; {result.rollback or error.hint}"
        return result, fault, None
    except KeyboardInterrupt:
        say("a rollback was on its way: orbit-release history tells whether it arrived")
        raise
    fault.hint = _next_step(rolled, result)
    return result, fault, rolled


def _next_step(rolled: RollbackOutcome, result: WaitResult) -> str:
    if rolled.published is None:
        left = ", ".join(f"{name} {reason}" for name, reason in rolled.left.items())
        why = left or rolled.instead or "it had the same tag before"
        by_hand = result.rollback or f"argocd app get {result.application}"
        return f"nothing is rolled back ({why}); {'look at it first: orbit-release history' if left else by_hand}"
    names = " ".join(step.service for step in rolled.published.notes.steps)
    told = f"{rolled.published.landed.commit[:7]} took {names} back; "
    if result.look and result.look.observation.is_running:
        # https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/: one operation at a time
        told += f"Argo CD syncs it once the failed sync has ended: argocd app terminate-op {result.application}; "
    held = " ".join(rolled.published.notes.holds)
    return f"{told}once it is mended: {f'orbit-release unhold {held}' if held else 'bump it by hand'}"
