"""history, status and report: what was deployed, and how things stand."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orbit_release.cli.moment import parse_moment
from orbit_release.cli.session import Session, complete_service, services_argument
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.flows.source import Source
    from orbit_release.flows.status import Statuses
    from orbit_release.git.clone import Tip

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
@click.option(
    "--exit-code",
    "strict",
    is_flag=True,
    help="End with 1 if a service is behind, its image is missing or, with --live, it does not run well.",
)
@click.option("--live", is_flag=True, help="Ask Argo CD what runs, too; implies --fetch.")
@click.option("--offline", is_flag=True, help="Ask neither the registry nor GitHub.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def status_command(
    session: Session, /, names: tuple[str, ...], *, fetch: bool, strict: bool, live: bool, offline: bool, format: str
) -> None:
    """Show what is deployed, since when, how far behind it is, and what is held; with --live also what runs."""
    from orbit_release.output.history import show_status

    if live and offline:
        raise UsageError("--live asks Argo CD", "leave out --live or --offline.")
    # What runs may have been released by somebody else a minute ago.
    found, _ = _look(session, session.source(), names, fetch=fetch or live, offline=offline, live=live)
    show_status(found, time.time(), format, live=live)
    ill = live and not all(one.live and one.live.is_well for one in found.services if one.deployed)
    if strict and (ill or any(one.is_behind for one in found.services)):
        raise click.exceptions.Exit(1)


@click.command("report")
@click.option("-o", "folder", metavar="DIR", type=click.Path(), required=True, help="Where index.html is written.")
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--offline", is_flag=True, help="Ask neither the registry nor GitHub.")
@click.pass_obj
def report_command(session: Session, /, folder: str, *, fetch: bool, offline: bool) -> None:
    """Write a page that shows the services, their releases and DORA's four figures."""
    from pathlib import Path

    from orbit_release import output
    from orbit_release.releases.figures import figures
    from orbit_release.report import Page, render
    from orbit_release.report.own_commits import own_commits

    source, now = session.source(), int(time.time())
    found, tip = _look(session, source, (), fetch=fetch, offline=offline)
    about = (session.address(source.git), tip.branch, tip.commit, now)
    measured = figures(own_commits(source, source.config.services, found.histories, tip), now)
    text = render(Page(*about, found.services, found.histories, measured))
    page = Path(folder) / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    part = page.with_name(f".index.html.{os.getpid()}")  # who looks at the page meanwhile never sees half of it
    part.write_text(text, encoding="utf-8")
    part.replace(page)
    for unasked in found.unasked:
        output.say(f"not asked: {unasked}")
    output.say(f"wrote {page}")


def _look(
    session: Session, source: Source, names: Sequence[str], *, fetch: bool, offline: bool, live: bool = False
) -> tuple[Statuses, Tip]:
    """Return how services stand, and the tip of the release branch that this is true of."""
    from orbit_release.flows.status import status

    tip = source.git.tip(source.config.branch, fetch=fetch)
    token = os.environ.get("GITHUB_TOKEN")
    github = session.github(source.git) if token and not offline else None
    left_out = ["the registry and GitHub: --offline"] if offline else []
    left_out += ["open pull requests: no GITHUB_TOKEN"] if not (offline or token) else []
    application = None
    if live:
        from orbit_release.cli.argocd import observed_application

        application = observed_application(session, source, None, _PATIENCE)
    found = status(
        source,
        source.config.select(names),
        tip,
        registry=None if offline else session.registry(budget=_PATIENCE),
        pull_requests=(lambda: github.open_releases(tip.branch)) if github else None,
        application=application.observe if application else None,
        unasked=left_out,
    )
    return found, tip
