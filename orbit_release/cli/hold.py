"""hold and unhold: keep automation away from services, and let it go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from orbit_release.cli.publishing import PublishingOptions, publishing_options, shown, withdraw
from orbit_release.cli.session import Session, services_argument
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.flows.hold import HoldOutcome
    from orbit_release.flows.publish_until_landed import Published, Publishing
    from orbit_release.flows.source import Source
    from orbit_release.service import Service


@click.command("hold")
@services_argument
@click.option("--all", "everything", is_flag=True, help="Every service: a freeze.")
@click.option("-m", "--reason", required=True, help="Why, for those who read the manifest.")
@publishing_options
@click.pass_obj
def hold_command(session: Session, /, names: tuple[str, ...], *, everything: bool, reason: str, **options: Any) -> None:
    """Keep automation from changing the tags of services, with a comment beside them in the manifests."""
    from orbit_release.flows.hold import hold
    from orbit_release.manifests.mark import valid_reason

    source, services = _selected(session, names, everything=everything)
    how = PublishingOptions(**options)
    publishing = how.publishing(session, source, names, "hold")
    held = hold(source, services, valid_reason(reason), everything=everything, publishing=publishing)
    _show(held, how, publishing)


@click.command("unhold")
@services_argument
@click.option("--all", "everything", is_flag=True, help="Every service that is held or pinned.")
@click.option("-m", "--reason", help="Only those that are held for this reason.")
@publishing_options
@click.pass_obj
def unhold_command(
    session: Session, /, names: tuple[str, ...], *, everything: bool, reason: str | None, **options: Any
) -> None:
    """Let automation change the tags of services again, also those that somebody set by hand."""
    from orbit_release.flows.hold import next_releases, unhold

    source, services = _selected(session, names, everything=everything)
    how = PublishingOptions(**options)
    publishing = how.publishing(session, source, names, "unhold")
    freed = unhold(source, services, reason, everything=everything, publishing=publishing)
    _show(freed, how, publishing, lambda published: next_releases(source, published))


def _selected(session: Session, names: Sequence[str], *, everything: bool) -> tuple[Source, Sequence[Service]]:
    if everything == bool(names):
        raise UsageError("name services, or all of them with --all", "orbit-release status lists them.")
    source = session.source()
    return source, source.config.select(names)


def _show(
    outcome: HoldOutcome,
    how: PublishingOptions,
    publishing: Publishing,
    next_releases: Callable[[Published], Mapping[str, str]] = lambda _: {},
) -> None:
    from orbit_release import output
    from orbit_release.text import printable

    for name, why in outcome.left.items():
        output.say(f"{name} {printable(why)}")
    if outcome.published is None:
        output.say("nothing to do")
    with shown(how, outcome.published):
        if outcome.published is None:
            withdraw(publishing)
        else:
            for name, what in next_releases(outcome.published).items():
                output.say(f"{name}: {printable(what)}")
        if outcome.unplaced:
            raise outcome.unplaced
