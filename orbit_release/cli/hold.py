"""hold and unhold: keep automation away from services, and let it go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from orbit_release.cli.publishing import Ways, publishing_options
from orbit_release.cli.session import Session, services_argument
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.flows.hold import Held
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

    ways, source, services = _start(session, names, everything=everything, **options)
    proposal = ways.proposal(session, source, names, "hold")
    publishing = ways.publishing(session, source.git, proposal)
    held = hold(source, services, valid_reason(reason), everything=everything, publishing=publishing)
    _show(held, ways)
    if not held.published:
        ways.withdraw(proposal)
    if held.unplaced:
        raise held.unplaced


@click.command("unhold")
@services_argument
@click.option("--all", "everything", is_flag=True, help="Every service that is held.")
@click.option("-m", "--reason", help="Only those that are held for this reason.")
@publishing_options
@click.pass_obj
def unhold_command(
    session: Session, /, names: tuple[str, ...], *, everything: bool, reason: str | None, **options: Any
) -> None:
    """Let automation change the tags of services again."""
    from orbit_release.flows.hold import next_releases, unhold

    ways, source, services = _start(session, names, everything=everything, **options)
    proposal = ways.proposal(session, source, names, "unhold")
    publishing = ways.publishing(session, source.git, proposal)
    held = unhold(source, services, reason, everything=everything, publishing=publishing)
    _show(held, ways)
    if not held.published:
        ways.withdraw(proposal)
    else:
        freed = source.config.select(list(held.published.notes.holds))
        _show_next(next_releases(source, freed, held.tip))
    if held.unplaced:
        raise held.unplaced


def _start(
    session: Session, names: Sequence[str], *, everything: bool, **options: Any
) -> tuple[Ways, Source, Sequence[Service]]:
    if everything == bool(names):
        raise UsageError("name services, or all of them with --all", "orbit-release status lists them.")
    source = session.source()
    return Ways(**options), source, source.config.select(names)


def _show(held: Held, ways: Ways) -> None:
    from orbit_release import output
    from orbit_release.text import printable

    for name, why in held.left.items():
        output.say(f"{name} {printable(why)}")
    if held.published is None:
        output.say("nothing to do")
    ways.show(held.published)


def _show_next(releases: Mapping[str, str]) -> None:
    from orbit_release import output
    from orbit_release.text import printable

    for name, what in releases.items():
        output.say(f"{name}: {printable(what)}")
