"""report: a page about the releases."""

from __future__ import annotations

import os
import time

import click

from orbit_release.cli.session import Session
from orbit_release.cli.status import ask_status


@click.command("report")
@click.option("-o", "folder", metavar="DIR", type=click.Path(), required=True, help="Where index.html is written.")
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--offline", is_flag=True, help="Ask neither the registry nor GitHub.")
@click.pass_obj
def report_command(session: Session, /, folder: str, *, fetch: bool, offline: bool) -> None:
    """Write a page that shows the services, their releases and DORA's four figures."""
    from pathlib import Path

    from orbit_release import output
    from orbit_release.flows.own_commits import own_histories
    from orbit_release.report.dora_figures import figures
    from orbit_release.report.page import Page, render

    source, now = session.source(), int(time.time())
    statuses, tip = ask_status(session, source, (), fetch=fetch, offline=offline)
    about = (session.address(source.git), tip.branch, tip.commit, now)
    histories = own_histories(source, tip, source.config.services, statuses.histories)
    text = render(Page(*about, statuses.services, histories, figures(histories, now)))
    page = Path(folder) / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    part = page.with_name(f".index.html.{os.getpid()}")  # who looks at the page meanwhile never sees half of it
    part.write_text(text, encoding="utf-8")
    part.replace(page)
    for unasked in statuses.unasked:
        output.say(f"not asked: {unasked}")
    output.say(f"wrote {page}")
