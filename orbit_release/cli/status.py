"""status: how each service stands."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orbit_release.cli.session import Session, services_argument
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.flows.source import Source
    from orbit_release.flows.status import Statuses
    from orbit_release.git.clone import Tip

_PATIENCE = 10.0  # seconds that a status waits for a system that does not answer


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
    from orbit_release.output.status import show_status

    if live and offline:
        raise UsageError("--live asks Argo CD", "leave out --live or --offline.")
    # What runs may have been released by somebody else a minute ago.
    statuses, _ = ask_status(session, session.source(), names, fetch=fetch or live, offline=offline, live=live)
    show_status(statuses, time.time(), format, live=live)
    ill = live and not all(s.live and s.live.is_well for s in statuses.services if s.deployed)
    if strict and (ill or any(status.is_behind for status in statuses.services)):
        raise click.exceptions.Exit(1)


def ask_status(
    session: Session, source: Source, names: Sequence[str], *, fetch: bool, offline: bool, live: bool = False
) -> tuple[Statuses, Tip]:
    """Return how services stand, and the tip of the release branch that this is true of."""
    from orbit_release.flows.status import status

    tip = source.git.tip(source.config.branch, fetch=fetch)
    token = os.environ.get("GITHUB_TOKEN")
    github = session.github(source.git) if token and not offline else None
    left_out = ["the registry and GitHub: --offline"] if offline else []
    left_out += ["open pull requests: no GITHUB_TOKEN"] if not (offline or token) else []
    observe = None
    if live:
        from orbit_release.cli.argocd import observed_application

        observe = observed_application(session, source, None, _PATIENCE).observe
    statuses = status(
        source,
        source.config.select(names),
        tip,
        registry=None if offline else session.registry(budget=_PATIENCE),
        pull_requests=(lambda: github.open_releases(tip.branch)) if github else None,
        application=observe,
        unasked=left_out,
    )
    return statuses, tip
