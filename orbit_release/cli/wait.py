"""wait: until Argo CD runs what was released."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from orbit_release.cli.moment import parse_length
from orbit_release.cli.session import Session, services_argument

if TYPE_CHECKING:
    from orbit_release.core.service import Service
    from orbit_release.flows.source import Source

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
    seconds = parse_length(timeout)
    source = session.source()
    services = source.config.select(names)
    wait_for(session, source, services, revision, named=bool(names), seconds=seconds, server=server, format=format)


def wait_for(
    session: Session,
    source: Source,
    services: Sequence[Service],
    revision: str | None,
    *,
    named: bool,
    seconds: int,
    server: str | None,
    format: str,
) -> None:
    """Wait for a revision, and tell how it ended; an error unless all is well."""
    from orbit_release.cli.argocd import application_name, argocd_server, released
    from orbit_release.core.health import Failed
    from orbit_release.flows.wait import Clock, fault_of, wait
    from orbit_release.flows.wanted import Wanted
    from orbit_release.output.wait import show_wait, waiting

    api, ours, names = argocd_server(server, _ANSWER_SECONDS), released(session, source), source.config.argocd
    wanted = Wanted.find(source, services, revision, named=named)
    application = application_name(api, source, ours)
    look = partial(api.observe, application, ours, project=names.project, namespace=names.namespace)
    clock = Clock(time.monotonic, time.sleep)
    if not names.application:
        clock.sleep(1)  # Argo CD was just asked for its applications
    with waiting(application, terminal=sys.stderr.isatty()) as tell:
        waited = wait(wanted, lambda refresh: look(refresh=refresh), timeout=seconds, clock=clock, tell=tell)
    verdict = waited.verdict
    rollback = wanted.rollback(verdict.resource) if isinstance(verdict, Failed) else ""
    show_wait(waited, wanted.revision, application, rollback, format)
    if fault := fault_of(waited, wanted, application):
        raise fault
