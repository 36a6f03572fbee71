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
    from orbit_release.core.health import Failed, Look
    from orbit_release.flows.put_back import Rolled
    from orbit_release.flows.release import Published
    from orbit_release.flows.source import Source

# Does something about the failure of a release (None: there was nothing to do), and adds to the document of it.
# Returns what is to be done next, "" where it has done nothing.
OnFailure = Callable[["Failed", "Look", "Published | None", dict[str, Any]], str]


def rolling_back(session: Session, source: Source, ways: Ways, registry: Registry | None) -> OnFailure:
    """Return what rolls back the services that are to blame, without asking again."""
    from orbit_release import output
    from orbit_release.core.text import printable
    from orbit_release.flows.rollback import rollback_failed

    own = replace(ways, yes=True)
    publishing = own.publishing(session, source.git)

    def roll_back(failed: Failed, look: Look, published: Published | None, document: dict[str, Any]) -> str:
        document["rolled_back"] = None
        try:
            rolled = rollback_failed(source, failed, look, published, registry=registry, publishing=publishing)
        except OrbitReleaseError as error:  # the failure of the release is what the command ends with
            output.show_error(error)
            return ""
        if rolled.instead:
            output.say(f"nothing is rolled back: {printable(rolled.instead)}")
        document["rolled_back"] = output.release_document(rolled.published) if rolled.published else None
        own.tell(rolled.published)
        tell_rolled(rolled)
        return _next(rolled, look)

    return roll_back


def _next(rolled: Rolled, look: Look) -> str:
    if rolled.published is None:
        return ""
    # https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/: it does not begin while another operation runs
    ending = "Argo CD may first have to end its sync: argocd app terminate-op; " if look.observation.is_running else ""
    return f"{rolled.published.landed.commit[:7]} took it back. {ending}orbit-release wait tells when that runs."
