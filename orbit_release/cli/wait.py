"""wait: until Argo CD runs what was released."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orbit_release.cli.session import Session, services_argument
from orbit_release.cli.time_arguments import parse_length
from orbit_release.errors import OrbitReleaseError

if TYPE_CHECKING:
    from orbit_release.cli.publishing import PublishingOptions
    from orbit_release.flows.awaited_release import AwaitedRelease
    from orbit_release.flows.publish_until_landed import Published
    from orbit_release.flows.restore_images import RollbackOutcome
    from orbit_release.flows.source import Source
    from orbit_release.flows.wait import ObservedApplication, WaitResult
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
    session: Session, /, names: tuple[str, ...], *, revision: str | None, timeout: str, server: str | None, format: str
) -> None:
    """Wait until Argo CD runs our release: synced, healthy, and with our images."""
    from orbit_release.cli.argocd import observed_application
    from orbit_release.flows.awaited_release import AwaitedRelease
    from orbit_release.flows.wait import fault_of
    from orbit_release.output.wait import show_wait

    source = session.source()
    services, seconds = source.config.select(names), parse_length(timeout)
    application = observed_application(session, source, server, _ANSWER_SECONDS)
    find = partial(AwaitedRelease.find, source, services, revision, named=bool(names))
    result = _wait(find, application, seconds)
    fault = fault_of(result)
    show_wait(result, fault, format, os.environ.get("GITHUB_STEP_SUMMARY"))
    if fault:
        raise fault


F = TypeVar("F", bound=Callable[..., Any])


def wait_options(command: F) -> F:
    timeout_help = "With --wait: 90s, 10m, 1h."
    timeout = click.option("--timeout", metavar="TIME", default="10m", show_default=True, help=timeout_help)
    wait = click.option("--wait", is_flag=True, help="Then wait until Argo CD runs it, as orbit-release wait does.")
    return wait(timeout(command))


# Waits for what was published of services (None: there was nothing to do), and adds to the document of that.
Wait = Callable[[Sequence["Service"], "Published | None", dict[str, Any]], None]


def awaited(session: Session, source: Source, how: PublishingOptions, registry: Registry | None) -> Wait | None:
    """Return what waits for a release, None where nobody asked for that.

    It knows before anything is published whether Argo CD can be asked.
    """
    seconds = parse_length(how.timeout)
    if not how.wait or how.dry_run:
        return None
    from orbit_release import output
    from orbit_release.cli.argocd import observed_application
    from orbit_release.flows.awaited_release import AwaitedRelease
    from orbit_release.flows.rollback import rollback_failed
    from orbit_release.flows.rollback_on_failure import see_through

    roll_back = None
    if how.rollback_on_failure:
        publishing = replace(how, yes=True).publishing(session, source)  # who was asked for the release has agreed
        roll_back = partial(rollback_failed, source, registry=registry, publishing=publishing)
    application = observed_application(session, source, None, _ANSWER_SECONDS)

    def wait(services: Sequence[Service], published: Published | None, document: dict[str, Any]) -> None:
        find = partial(AwaitedRelease.find, source, services)
        ended = see_through(
            lambda commit: _wait(partial(find, commit), application, seconds), published, roll_back, output.say
        )
        _tell(how, document, *ended)

    return wait


def _tell(
    how: PublishingOptions,
    document: dict[str, Any],
    result: WaitResult,
    fault: OrbitReleaseError | None,
    rolled: RollbackOutcome | None,
) -> None:
    """Tell how a wait ended, to people and in a document, and raise what there is to complain about."""
    from orbit_release.cli.publishing import tell_published
    from orbit_release.cli.rollback import tell_rolled
    from orbit_release.output.releases import release_document
    from orbit_release.output.wait import show_wait, wait_document

    if rolled:
        document["rolled_back"] = release_document(rolled.published) if rolled.published else None
    document["wait"] = wait_document(result)
    try:
        show_wait(result, fault, "table" if how.words else "told", os.environ.get("GITHUB_STEP_SUMMARY"))
    except OSError:  # a reader that went away
        if not fault:
            raise
    if rolled and rolled.published:
        tell_published(how, rolled.published)
    if rolled:
        tell_rolled(rolled)
    if fault:
        raise fault


def _wait(find: Callable[[], AwaitedRelease], application: ObservedApplication, seconds: int) -> WaitResult:
    """Wait, and show what for on stderr; an error goes into the summary of a step, too."""
    from orbit_release.flows.wait import wait
    from orbit_release.output.wait import summarize_unknown, waiting

    try:
        with waiting(terminal=sys.stderr.isatty()) as tell:
            return wait(find, application, timeout=seconds, now=time.monotonic, sleep=time.sleep, tell=tell)
    except OrbitReleaseError as error:
        summarize_unknown(error, os.environ.get("GITHUB_STEP_SUMMARY"))
        raise
