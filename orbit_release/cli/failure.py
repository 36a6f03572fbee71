"""bump --rollback-on-failure: what is done about a release that failed, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orbit_release.cli.rollback import tell_rolled
from orbit_release.errors import OrbitReleaseError

if TYPE_CHECKING:
    from orbit_release.adapters.registry import Registry
    from orbit_release.cli.publishing import Ways
    from orbit_release.cli.session import Session
    from orbit_release.core.health import Look
    from orbit_release.flows.release import Published
    from orbit_release.flows.source import Source
    from orbit_release.flows.wait import Waited

# Does something about a release (None: there was nothing to do) that failed, and adds to the document of it.
# Returns what is to be done next, "" where it has done nothing.
OnFailure = Callable[["Waited", "Published | None", dict[str, Any]], str]


def rolling_back(session: Session, source: Source, ways: Ways, registry: Registry | None) -> OnFailure:
    """Return what rolls back the services that are to blame, without asking again."""
    from orbit_release import output
    from orbit_release.core.health import Failed
    from orbit_release.core.text import printable
    from orbit_release.flows.rollback import rollback_failed

    own = replace(ways, yes=True)
    publishing = own.publishing(session, source.git)

    def roll_back(waited: Waited, published: Published | None, document: dict[str, Any]) -> str:
        failed, look = waited.verdict, waited.look
        if not (isinstance(failed, Failed) and look):
            return ""
        document["rolled_back"] = None
        try:
            rolled = rollback_failed(source, failed, look, published, registry=registry, publishing=publishing)
        except OrbitReleaseError as error:  # the failure of the release is what the command ends with
            output.show_error(error)
            return ""
        if rolled.instead:
            output.say(f"nothing is rolled back: {printable(rolled.instead)}")
        if rolled.published:
            own.tell(rolled.published)
            document["rolled_back"] = output.release_document(rolled.published)
        tell_rolled(rolled)
        return _next(rolled.published, waited.application, look) if rolled.published else ""

    return roll_back


def _next(back: Published, application: str, look: Look) -> str:
    told = f"{back.landed.commit[:7]} took it back; "
    if look.observation.is_running:  # https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/
        told += f"Argo CD syncs it once the failed sync has ended: argocd app terminate-op {application}; "
    return f"{told}when it runs tells: orbit-release wait"
