"""history and status: what was deployed, and how things stand."""

from __future__ import annotations

import os
import time

import click

from orbit_release.cli.moment import parse_moment
from orbit_release.cli.session import Session, complete_service, services_argument

_PATIENCE = 10.0  # seconds that a status waits for a system that does not answer


@click.command("history")
@click.argument("service", required=False, shell_complete=complete_service)
@click.option("-n", "most", type=click.IntRange(0), default=20, show_default=True, help="How many; 0 means all.")
@click.option("--since", metavar="TIME", help="Nothing from before: 2h, 3 days ago, 2026-11-24.")
@click.option("-v", "subjects", is_flag=True, help="Show the commits that each release brought in.")
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def history_command(
    session: Session,
    /,
    service: str | None,
    *,
    most: int,
    since: str | None,
    subjects: bool,
    fetch: bool,
    format: str,
) -> None:
    """Show what was deployed when, newest first, as the manifests' history tells it."""
    from orbit_release.flows.history import history
    from orbit_release.output.history import show_history

    source = session.source()
    now = time.time()
    start = parse_moment(since, now) if since else 0
    tip = source.git.tip(source.config.branch, fetch=fetch)
    found = history(source, source.config.select([service] if service else ()), tip)
    releases = [(name, one) for name, stretches in found.items() for one in stretches if one.since.time >= start]
    releases.sort(key=lambda pair: pair[1].place, reverse=True)
    shown = releases[:most] if most else releases
    show_history(shown, len(releases) - len(shown), now, format, subjects=subjects, address=session.address(source.git))


@click.command("status")
@services_argument
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--exit-code", "strict", is_flag=True, help="End with 1 if a service is behind or its image is missing.")
@click.option("--offline", is_flag=True, help="Ask neither the registry nor GitHub.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def status_command(
    session: Session, /, names: tuple[str, ...], *, fetch: bool, strict: bool, offline: bool, format: str
) -> None:
    """Show what is deployed, since when, how far behind it is, and what is held."""
    from orbit_release.flows.status import status
    from orbit_release.output.history import show_status

    source = session.source()
    services = source.config.select(names)
    tip = source.git.tip(source.config.branch, fetch=fetch)
    github = session.github(source.git) if os.environ.get("GITHUB_TOKEN") and not offline else None
    found = status(
        source,
        services,
        tip,
        registry=None if offline else session.registry(budget=_PATIENCE),
        pull_requests=(lambda: github.open_releases(tip.branch)) if github else None,
    )
    show_status(found, time.time(), format)
    if strict and any(one.is_behind for one in found.services):
        raise click.exceptions.Exit(1)
