"""check: find in the repository what would fail, before it fails."""

from __future__ import annotations

import os

import click

from orbit_release.cli.session import Session


@click.command("check")
@click.option("--rule", "rules", multiple=True, metavar="NAME", help="Only this rule, or this group of rules.")
@click.option("--ignore", multiple=True, metavar="NAME", help="All but this rule, or this group of rules.")
@click.option(
    "--format",
    type=click.Choice(["table", "json", "github"]),
    default="table",
    show_default=True,
    help="github prints annotations.",
)
@click.pass_obj
def check_command(session: Session, /, *, rules: tuple[str, ...], ignore: tuple[str, ...], format: str) -> None:
    """Find in the working tree what would fail: inputs, manifests, their wiring, workflows, deployed tags.

    It asks nobody, and ends with 1 if it finds something. `# orbit-release: ignore[rule] reason`
    on a line, or alone on the line above, lets a finding pass.
    """
    from orbit_release import output
    from orbit_release.check.kustomize import Kustomize
    from orbit_release.check.run_rules import check
    from orbit_release.check.show_findings import findings_summary, show_findings

    source = session.source(offline=True, plain_globs=True)
    findings, notes = check(source, render=Kustomize(source.git.top, os.environ).render, only=rules, ignore=ignore)
    show_findings(findings, notes, format)
    output.summarize(os.environ.get("GITHUB_STEP_SUMMARY"), findings_summary(findings))
    if findings:
        raise click.exceptions.Exit(1)
