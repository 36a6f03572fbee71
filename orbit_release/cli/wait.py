"""wait: until Argo CD runs what was released."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orbit_release.cli.moment import parse_length
from orbit_release.cli.session import Session, services_argument

if TYPE_CHECKING:
    from orbit_release.cli.publishing import Ways
    from orbit_release.core.service import Service
    from orbit_release.flows.release import Published
    from orbit_release.flows.source import Source
    from orbit_release.flows.wait import Waited
    from orbit_release.flows.wanted import Wanted

_ANSWER_SECONDS = 15.0  # that one answer may take; a refresh takes as long as Argo CD needs to compare


@click.command("wait")
@services_argument
@click.option("--revision", metavar="REV", help="The release.  [default: the newest commit of the manifests]")
@click.option("--timeout", metavar="TIME", default="10m", show_default=True, help="90s, 10m, 1h.")
@click.option("--server", metavar="HOST[:PORT]", help="Argo CD's.  [default: ARGOCD_SERVER, else argocd's own login]")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def wait_command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    revision: str | None,
    timeout: str,
    server: str | None,
    format: str,
) -> None:
    """Wait until Argo CD runs our release: synced, healthy, and with our images."""
    source = session.source()
    services = source.config.select(names)
    release = Awaited(session, source, parse_length(timeout), server)
    release.end(services, revision, format=format, named=bool(names))


F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--wait", is_flag=True, help="Then wait until Argo CD runs it, as orbit-release wait does."),
    click.option("--timeout", metavar="TIME", default="10m", show_default=True, help="With --wait: 90s, 10m, 1h."),
)


def wait_options(command: F) -> F:
    """Add the options that say whether a release is waited for."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def awaited(session: Session, source: Source, ways: Ways) -> Awaited | None:
    """Return what waits for a release, which knows before it is published whether Argo CD can be asked."""
    seconds = parse_length(ways.timeout)
    return Awaited(session, source, seconds) if ways.wait and not ways.dry_run else None


class Awaited:
    """A server of Argo CD, and an application there that releases are waited for in."""

    def __init__(self, session: Session, source: Source, seconds: int, server: str | None = None) -> None:
        from orbit_release.cli.argocd import argocd_server, released

        self._source, self._seconds = source, seconds
        self._api, self._ours = argocd_server(server, _ANSWER_SECONDS), released(session, source)

    def end(self, services: Sequence[Service], revision: str | None, *, format: str, named: bool = False) -> None:
        """Wait for a revision, and tell how it ended; an error unless all is well."""
        from orbit_release.core.health import Failed
        from orbit_release.flows.wait import fault_of
        from orbit_release.flows.wanted import Wanted
        from orbit_release.output.wait import show_wait

        wanted = Wanted.find(self._source, services, revision, named=named)
        application = self._application()
        waited = self._wait(wanted, application)
        verdict = waited.verdict
        rollback = wanted.rollback(verdict.resource, waited.look) if isinstance(verdict, Failed) else ""
        show_wait(waited, wanted.revision, application, rollback, format)
        if fault := fault_of(waited, wanted, application):
            raise fault

    def published(self, services: Sequence[Service], published: Published | None, *, format: str) -> None:
        """Wait for what was published; where there was nothing to do, for what is deployed."""
        commit = published.landed.commit if published else None
        self.end(services, commit, format="told" if format == "json" else format)  # stdout has one document

    def _application(self) -> str:
        from orbit_release.cli.argocd import application_name

        name = application_name(self._api, self._source, self._ours)
        if not self._source.config.argocd.application:
            time.sleep(1)  # Argo CD was just asked for its applications
        return name

    def _wait(self, wanted: Wanted, application: str) -> Waited:
        from orbit_release.flows.wait import Clock, wait
        from orbit_release.output.wait import waiting

        names, clock = self._source.config.argocd, Clock(time.monotonic, time.sleep)
        look = partial(self._api.observe, application, self._ours, project=names.project, namespace=names.namespace)
        with waiting(application, terminal=sys.stderr.isatty()) as tell:
            return wait(wanted, lambda refresh: look(refresh=refresh), timeout=self._seconds, clock=clock, tell=tell)
