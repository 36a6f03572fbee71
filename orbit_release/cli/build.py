"""build: build and push the images that the plan asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orbit_release.cli.session import Session, head_of_run, services_argument

if TYPE_CHECKING:
    from orbit_release.flows.build import BuildOutcome


@click.command("build")
@services_argument
@click.option("--head", help="The commit to build for.  [default: GITHUB_SHA in Actions, else HEAD]")
@click.option("--push/--no-push", default=True, show_default=True, help="Push to the registry, or keep in the engine.")
@click.option("--builder", metavar="NAME|tcp://HOST:PORT", help="A buildx builder, or a remote BuildKit.")
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="How many builds at once.")
@click.option("--force", is_flag=True, help="Build also what the registry has already.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def build_command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    head: str | None,
    push: bool,
    builder: str | None,
    jobs: int,
    force: bool,
    format: str,
) -> None:
    """Build the images that the plan asks for, or those of the named services, and push them."""
    from orbit_release.builders.choose import choose_builder
    from orbit_release.flows.build import Building, build
    from orbit_release.output.builds import build_progress, show_builds, summarize_builds

    source = session.source(plain_globs=True)
    registry = session.registry(source.config.tag_scheme) if push else None
    head = head or head_of_run() or "HEAD"
    building = Building(source, head, registry, session.address(source.git), jobs=jobs, force=force)
    services = source.config.select(names)
    with build_progress(terminal=sys.stderr.isatty()) as progress:
        results = build(
            building,
            services,
            named=bool(names),
            builder=lambda: choose_builder(builder, environ=os.environ, github_token=os.environ.get("GITHUB_TOKEN")),
            progress=progress,
        )
    show_builds(results, format)
    summarize_builds(results, os.environ.get("GITHUB_STEP_SUMMARY"))
    _raise_failed(results)


def _raise_failed(results: Sequence[BuildOutcome]) -> None:
    """End with exit code 7 if a build failed, after its last log lines; with 6 or 8 if that was all that failed."""
    from orbit_release import output
    from orbit_release.errors import AccessError, BuildError, ConflictError
    from orbit_release.text import printable

    failed = [result for result in results if result.error]
    for name, line in ((result.plan.service.name, line) for result in failed for line in result.log):
        output.say(f"{name} | {printable(line)}")
    messages = "\n".join(f"{result.plan.service.name}: {result.error.message}" for result in failed if result.error)
    hint = next((result.error.hint for result in failed if result.error and result.error.hint), "")
    if failed:
        kinds = {type(result.error) for result in failed if result.error}
        kind = kinds.pop() if kinds in ({AccessError}, {ConflictError}) else BuildError
        raise kind(messages, hint or "mend it and run build again: what was pushed is not built twice.")
