"""history: what was deployed when."""

from __future__ import annotations

import time

import click

from orbit_release.cli.session import Session, complete_service
from orbit_release.cli.time_arguments import parse_moment


@click.command("history")
@click.argument("service", required=False, shell_complete=complete_service)
@click.option("-n", "most", type=click.IntRange(0), default=20, show_default=True, help="How many; 0 means all.")
@click.option("--since", metavar="TIME", help="Nothing from before: 2h, 3 days ago, 2026-11-24.")
@click.option("-v", "subjects", is_flag=True, help="Show the commits that each release brought in.")
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def history_command(
    session: Session, /, service: str | None, *, most: int, since: str | None, subjects: bool, fetch: bool, format: str
) -> None:
    """Show what was deployed when, newest first, as the manifests' history tells it."""
    from orbit_release.flows.history import history
    from orbit_release.flows.own_commits import own_releases
    from orbit_release.output.history import show_history

    source, now = session.source(), time.time()
    start = parse_moment(since, now) if since else 0
    tip = source.git.tip(source.config.branch, fetch=fetch)
    services = source.config.select([service] if service else ())
    source.require_one_environment(tip)
    histories = history(source, services, tip)
    if not any(histories.values()):
        source.deployed(tip)  # which says what is wrong with the paths, if so
    releases = [(name, release) for name, stretches in histories.items() for release in stretches]
    releases = [(name, release) for name, release in releases if release.since.time >= start]
    releases.sort(key=lambda pair: pair[1].place, reverse=True)
    shown = own_releases(source, tip, services, releases[:most] if most else releases)
    show_history(shown, len(releases) - len(shown), now, format, subjects=subjects, address=session.address(source.git))
