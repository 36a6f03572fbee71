"""rollback: put services back to what was deployed earlier."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from orbit_release.cli.publishing import PublishingOptions, publishing_options, shown, withdraw
from orbit_release.cli.session import Session, complete_service, refuse
from orbit_release.cli.time_arguments import parse_moment
from orbit_release.cli.wait import awaited, wait_options

if TYPE_CHECKING:
    from orbit_release.flows.restore_images import RollbackOutcome


@click.command("rollback")
@click.argument("service", required=False, shell_complete=complete_service)
@click.argument("tag", required=False)
@click.option("--all", "everything", is_flag=True, help="Every service, with --to.")
@click.option("--to", metavar="REV|TIME", help="With --all: a commit of the release branch, or a time: 2h, 2026-11-24.")
@click.option("-m", "--reason", default="", help="Why, for the hold.  [default: rolled back from TAG]")
@click.option("--no-hold", is_flag=True, help="Let the next release bring the newer tag back.")
@click.option("--no-verify", is_flag=True, help="Do not ask the registry whether the image exists.")
@wait_options
@publishing_options
@click.pass_obj
def rollback_command(
    session: Session,
    /,
    service: str | None,
    tag: str | None,
    *,
    everything: bool,
    to: str | None,
    reason: str,
    no_hold: bool,
    no_verify: bool,
    **options: Any,
) -> None:
    """Put a service back to the tag before the current one, or to TAG, and hold it there.

    With --all and --to, put every service back to what was deployed then, in one commit.
    """
    from orbit_release import output
    from orbit_release.flows.restore_images import RollbackHold
    from orbit_release.flows.rollback import rollback, rollback_all
    from orbit_release.image import Tag
    from orbit_release.manifests.mark import valid_reason

    everyone = "orbit-release rollback bifrost, or orbit-release rollback --all --to 2h"
    alone = "orbit-release rollback SERVICE TAG takes one service back."
    refuse(
        (everything == (service is not None), "name a service, or all of them with --all", everyone),
        (everything != (to is not None), "--all and --to go together", alone),
        (reason and no_hold, "--reason is that of the hold", "leave out --no-hold or --reason."),
    )
    hold = RollbackHold(not no_hold, valid_reason(reason) if reason else "")
    how, source = PublishingOptions(**options), session.source()
    names = [service] if service else []
    services = source.config.select(names)
    registry = None if no_verify else session.registry(source.config.tag_scheme)
    wait = awaited(session, source, how, registry)
    publishing = how.publishing(session, source, names, "rollback")
    common: dict[str, Any] = {"registry": registry, "publishing": publishing, "hold": hold}
    if to is not None:
        rolled = rollback_all(source, services, source.git.commit(to) or parse_moment(to, time.time()), **common)
    else:
        rolled = rollback(source, services[0], Tag(tag) if tag else None, **common)
    if not rolled.published:
        withdraw(publishing)
        output.say("nothing to do: that is what is deployed")
    with shown(how, rolled.published) as document:
        tell_rolled(rolled, dry_run=how.dry_run)
        if wait:
            wait(services, rolled.published, document)


def tell_rolled(rolled: RollbackOutcome, *, dry_run: bool = False) -> None:
    """Tell which services stay as they are, and which are held now."""
    from orbit_release import output
    from orbit_release.manifests.mark import is_hold
    from orbit_release.text import printable

    for name, why in rolled.left.items():
        output.say(f"{name} stays: it {printable(why)}")
    holds = rolled.published.notes.holds if rolled.published and not dry_run else {}
    for name, reason in holds.items():
        if is_hold(reason):
            output.say(f"{name} is held: {printable(reason or '')}; once it is mended: orbit-release unhold {name}")
    for name, back in rolled.loose.items():
        then = "that it went back holds it, until a bump by hand" if back else "nothing holds it"
        output.warn(f"{name} has no place for the comment `# held`: {then}")
