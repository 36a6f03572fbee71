"""wait: until Argo CD runs what was released."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orbit_release.cli.moment import parse_length
from orbit_release.cli.session import Session, services_argument
from orbit_release.errors import OrbitReleaseError

if TYPE_CHECKING:
    from orbit_release.adapters.registry import Registry
    from orbit_release.cli.failure import OnFailure
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
    from orbit_release.flows.wait import fault_of
    from orbit_release.output.wait import show_wait

    source = session.source()
    services = source.config.select(names)
    waited = Awaited(session, source, parse_length(timeout), server).wait(services, revision, named=bool(names))
    show_wait(waited, format)
    if fault := fault_of(waited):
        raise fault


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


def awaited(session: Session, source: Source, ways: Ways, registry: Registry | None) -> Wait | None:
    """Return what waits for a release, which knows before it is published whether Argo CD can be asked."""
    from orbit_release.cli.failure import rolling_back

    seconds = parse_length(ways.timeout)
    if not ways.wait or ways.dry_run:
        return None
    on_failure = rolling_back(session, source, ways, registry) if ways.rollback_on_failure else None
    return partial(Awaited(session, source, seconds).published, words=ways.words, on_failure=on_failure)


# Waits for what was published of services (None: there was nothing to do), and adds to the document of that.
Wait = Callable[[Sequence["Service"], "Published | None", dict[str, Any]], None]


class Awaited:
    """A server of Argo CD, and an application there that releases are waited for in."""

    def __init__(self, session: Session, source: Source, seconds: int, server: str | None = None) -> None:
        from orbit_release.cli.argocd import argocd_server, released

        self._source, self._seconds = source, seconds
        self._api, self._ours = argocd_server(server, _ANSWER_SECONDS), released(session, source)

    def wait(self, services: Sequence[Service], revision: str | None, *, named: bool = False) -> Waited:
        """Wait for a revision, by default the newest commit of the manifests."""
        from orbit_release.flows.wanted import Wanted
        from orbit_release.output.wait import summarize_unknown, summarize_wait

        page = os.environ.get("GITHUB_STEP_SUMMARY")
        try:
            wanted = Wanted.find(self._source, services, revision, named=named)
            waited = self._wait(wanted, self._application())
        except OrbitReleaseError as error:
            summarize_unknown(error, page)
            raise
        summarize_wait(waited, page)
        return waited

    def published(
        self,
        services: Sequence[Service],
        published: Published | None,
        document: dict[str, Any],
        *,
        words: bool,
        on_failure: OnFailure | None,
    ) -> None:
        """Wait for what was published, or for what is deployed where there was nothing to do; tell how it ended.

        What a program reads of it is added to a document; without `words` stdout is left to that.
        """
        from orbit_release.flows.wait import fault_of
        from orbit_release.output.wait import show_wait, wait_document

        waited = self.wait(services, published.landed.commit if published else None)
        document["wait"] = wait_document(waited)
        show_wait(waited, "table" if words else "told")
        if fault := fault_of(waited):
            if on_failure:
                fault.hint = on_failure(waited, published, document) or fault.hint
            raise fault

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
            observe = lambda refresh: look(refresh=refresh)  # noqa: E731
            return wait(application, wanted, observe, timeout=self._seconds, clock=clock, tell=tell)
