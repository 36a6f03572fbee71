"""bump --rollback-on-failure: what is done about a release that failed, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orbit_release import output
from orbit_release.cli.publishing import tell_published
from orbit_release.cli.rolled import tell_rolled
from orbit_release.errors import OrbitReleaseError
from orbit_release.text import printable

if TYPE_CHECKING:
    from orbit_release.cli.publishing import PublishingOptions
    from orbit_release.cli.session import Session
    from orbit_release.flows.publish_until_landed import Published
    from orbit_release.flows.put_back import RollbackOutcome
    from orbit_release.flows.source import Source
    from orbit_release.flows.wait import Waited
    from orbit_release.registry.client import Registry


class RollbackOnFailure:
    """Rolls back the services that are to blame for a failure, without asking again."""

    def __init__(self, session: Session, source: Source, options: PublishingOptions, registry: Registry | None) -> None:
        self._source, self._registry, self._options = source, registry, replace(options, yes=True)
        self._publishing = self._options.publishing(session, source)
        self._rolled: RollbackOutcome | None = None

    def act(
        self, waited: Waited, published: Published | None, fault: OrbitReleaseError, document: dict[str, Any]
    ) -> None:
        """Do it, and let the fault of the release (None: there was nothing to do) say what comes next."""
        from orbit_release.argocd.verdict import Failed
        from orbit_release.flows.rollback import rollback_failed

        failed, look = waited.verdict, waited.look
        if not (isinstance(failed, Failed) and look):
            return
        output.say(f"{printable(fault.message)}: looking for what to roll back")
        registry, publishing = self._registry, self._publishing
        try:
            rolled = rollback_failed(self._source, failed, look, published, registry=registry, publishing=publishing)
        except OrbitReleaseError as error:
            fault.hint = f"the rollback failed, {error.message}; {waited.rollback or error.hint}"
        except KeyboardInterrupt:
            output.say("a rollback was on its way: orbit-release history tells whether it arrived")
            raise
        else:
            self._rolled, fault.hint = rolled, _next(rolled, waited)
            document["rolled_back"] = output.release_document(rolled.published) if rolled.published else None

    def tell(self) -> None:
        """Tell what was done."""
        if self._rolled and self._rolled.published:
            tell_published(self._options, self._rolled.published)
        if self._rolled:
            tell_rolled(self._rolled)


def _next(rolled: RollbackOutcome, waited: Waited) -> str:
    """Return what is to be done then."""
    if rolled.published is None and rolled.left:
        why = ", ".join(f"{name} {reason}" for name, reason in rolled.left.items())
        return f"nothing is rolled back ({why}); look at it first: orbit-release history"
    if rolled.published is None:
        why = rolled.instead or "it had the same tag before"
        return f"nothing is rolled back ({why}); {waited.rollback or f'argocd app get {waited.application}'}"
    names = " ".join(step.service for step in rolled.published.notes.steps)
    told = f"{rolled.published.landed.commit[:7]} took {names} back; "
    if waited.look and waited.look.observation.is_running:
        # https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/: one operation at a time
        told += f"Argo CD syncs it once the failed sync has ended: argocd app terminate-op {waited.application}; "
    held = " ".join(rolled.published.notes.holds)
    return f"{told}once it is mended: {f'orbit-release unhold {held}' if held else 'bump it by hand'}"
