"""plan: which service needs what, and why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orbit_release.cli.session import Session, head_of_run, services_argument

if TYPE_CHECKING:
    from orbit_release.planning.actions import Plan


@click.command("plan")
@services_argument
@click.option("--base", default="deployed", show_default=True, help="A commit to compare with, or what is deployed.")
@click.option("--head", help="The commit to plan for.  [default: GITHUB_SHA in Actions, else HEAD]")
@click.option("--fetch", is_flag=True, help="Ask the remote where the release branch stands now.")
@click.option("--registry/--no-registry", default=None, help="Ask the registry which images exist already.")
@click.option("--force", is_flag=True, help="Build also what is current or built already.")
@click.option(
    "--format",
    type=click.Choice(["table", "json", "names", "matrix", "github"]),
    default="table",
    show_default=True,
    help="github writes to $GITHUB_OUTPUT, asks the registry, and fetches unless --base is given.",
)
@click.pass_obj
def plan_command(
    session: Session,
    /,
    names: tuple[str, ...],
    base: str,
    head: str | None,
    *,
    fetch: bool,
    registry: bool | None,
    force: bool,
    format: str,
) -> None:
    """Show which services need a build or a release, and why."""
    from orbit_release import output
    from orbit_release.flows.empty_globs import with_empty_globs
    from orbit_release.flows.plan import plan
    from orbit_release.output.plans import plan_summary, show_plan

    source = session.source(plain_globs=True)
    github, by_state, jobs = format == "github", base == "deployed", format in ("matrix", "github")
    decided = plan(
        source,
        source.config.select(names),
        head=head or head_of_run() or "HEAD",
        base=None if by_state else base,
        registry=session.registry(source.config.tag_scheme) if (github if registry is None else registry) else None,
        tip=source.git.tip(source.config.branch, fetch=True) if fetch or (github and by_state) else None,
        force=force,
        latest=jobs,
    )
    address = session.address(source.git) if jobs else ""
    decided = with_empty_globs(source, decided)
    show_plan(decided, format, address, os.environ.get("GITHUB_OUTPUT"))
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        merging = os.environ.get("GITHUB_EVENT_NAME") == "pull_request"
        output.summarize(file, plan_summary(decided, merging=merging))
    if decided.is_all_pinned and not names:
        output.say(
            "every service that is deployed is pinned: `orbit-release unhold --all` lets automation take them over"
        )
    _tell_clash(decided, goes_on=github)


def _tell_clash(plan: Plan, *, goes_on: bool) -> None:
    """Fail for tags that belong to other images, unless a workflow goes on with the other services and fails then."""
    from orbit_release import output
    from orbit_release.planning.target_commits import clash_of

    clash = clash_of(plan.services)
    if clash and goes_on and plan.pending:
        output.show_error(clash)
    elif clash:
        raise clash
