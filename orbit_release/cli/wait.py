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
    from orbit_release.cli.failure import RollbackOnFailure
    from orbit_release.cli.publishing import PublishingOptions
    from orbit_release.flows.publish_until_landed import Published
    from orbit_release.flows.source import Source
    from orbit_release.flows.wait import Waited
    from orbit_release.flows.wanted import Wanted
    from orbit_release.registry.client import Registry
    from orbit_release.service import Service

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
    fault = fault_of(waited)
    show_wait(waited, fault, format, os.environ.get("GITHUB_STEP_SUMMARY"))
    if fault:
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


# Waits for what was published of services (None: there was nothing to do), and adds to the document of that.
Wait = Callable[[Sequence["Service"], "Published | None", dict[str, Any]], None]


def awaited(session: Session, source: Source, options: PublishingOptions, registry: Registry | None) -> Wait | None:
    """Return what waits for a release, which knows before it is published whether Argo CD can be asked."""
    from orbit_release.cli.failure import RollbackOnFailure

    seconds = parse_length(options.timeout)
    if not options.wait or options.dry_run:
        return None
    on_failure = RollbackOnFailure(session, source, options, registry) if options.rollback_on_failure else None
    return partial(Awaited(session, source, seconds).published, words=options.words, on_failure=on_failure)


class Awaited:
    """A server of Argo CD, and an application there that releases are waited for in."""

    def __init__(self, session: Session, source: Source, seconds: int, server: str | None = None) -> None:
        from orbit_release.cli.argocd import ArgoApplication, argocd_server

        self._source, self._seconds = source, seconds
        self._application = ArgoApplication(session, source, argocd_server(server, _ANSWER_SECONDS))

    def wait(self, services: Sequence[Service], revision: str | None, *, named: bool = False) -> Waited:
        """Wait for a revision, by default the newest commit of the manifests."""
        from orbit_release.flows.wanted import Wanted
        from orbit_release.output.wait import summarize_unknown

        try:
            return self._wait(lambda: Wanted.find(self._source, services, revision, named=named))
        except OrbitReleaseError as error:
            summarize_unknown(error, os.environ.get("GITHUB_STEP_SUMMARY"))
            raise

    def published(
        self,
        services: Sequence[Service],
        published: Published | None,
        document: dict[str, Any],
        *,
        words: bool,
        on_failure: RollbackOnFailure | None,
    ) -> None:
        """Wait for what was published, or for what is deployed where there was nothing to do; tell how it ended.

        What a program reads of it is added to a document; without `words` stdout is left to that. What is to be done
        about a failure is done before anything is told.
        """
        from orbit_release.flows.wait import fault_of
        from orbit_release.output.wait import show_wait, wait_document

        waited = self._published(services, published)
        fault = fault_of(waited)
        if fault and on_failure:
            on_failure.act(waited, published, fault, document)
        document["wait"] = wait_document(waited)
        try:
            show_wait(waited, fault, "table" if words else "told", os.environ.get("GITHUB_STEP_SUMMARY"))
        except OSError:
            if not fault:
                raise
        if on_failure:
            on_failure.tell()
        if fault:
            raise fault

    def _published(self, services: Sequence[Service], published: Published | None) -> Waited:
        from orbit_release import output

        commit = published.landed.commit if published else None
        try:
            return self.wait(services, commit)
        except KeyboardInterrupt:
            if commit:
                output.say(f"{commit[:7]} is published all the same: orbit-release wait --revision {commit[:7]}")
            raise

    def _wait(self, find: Callable[[], Wanted]) -> Waited:
        from orbit_release.flows.wait import Clock, wait
        from orbit_release.output.wait import waiting

        look, clock = self._application.look, Clock(time.monotonic, time.sleep)
        with waiting(terminal=sys.stderr.isatty()) as tell:
            return wait(find, lambda refresh: look(refresh=refresh), timeout=self._seconds, clock=clock, tell=tell)
