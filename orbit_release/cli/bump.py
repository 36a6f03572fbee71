"""bump: set image tags in the manifests, and publish the release."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import click

from orbit_release.cli.publishing import PublishingOptions, is_interactive, publishing_options, shown, withdraw
from orbit_release.cli.session import Session, complete_service, head_of_run, refuse
from orbit_release.cli.wait import awaited, wait_options
from orbit_release.errors import OrbitReleaseError

if TYPE_CHECKING:
    from orbit_release.config import Config
    from orbit_release.flows.bump import BuiltOutcome, TagChange


@click.command("bump")
@click.argument("words", metavar="[SERVICE TAG]...", nargs=-1, shell_complete=complete_service)
@click.option("--built", is_flag=True, help="Release whatever has been built: all services, or the named ones.")
@click.option("--head", help="With --built, the commit to release.  [default: GITHUB_SHA in Actions, else the tip]")
@click.option("--unhold", is_flag=True, help="Release a service that is held, and take the hold away.")
@click.option("--no-verify", is_flag=True, help="Do not ask the registry whether the tags exist.")
@click.option("--allow-unmerged", is_flag=True, help="Deploy a commit that is not on the release branch.")
@click.option("-m", "--message", default="", help="The release commit's subject.")
@click.option(
    "--rollback-on-failure",
    is_flag=True,
    help="With --wait, roll back and hold what turns Degraded, unless something else is ill as well.",
)
@wait_options
@publishing_options
@click.pass_obj
def bump_command(
    session: Session,
    /,
    words: tuple[str, ...],
    *,
    built: bool,
    head: str | None,
    unhold: bool,
    no_verify: bool,
    allow_unmerged: bool,
    message: str,
    **options: Any,
) -> None:
    """Set image tags in the manifests and publish the release.

    TAG may carry a digest: sha-1a2b3c4@sha256:…
    """
    from orbit_release import output
    from orbit_release.flows.bump import bump, bump_built

    by_name = "name the service and its tag, or run orbit-release unhold."
    refuse(
        (head and not built, "--head goes with --built", "a tag names its commit itself."),
        (built and no_verify, "--built asks the registry what was built", "leave out --no-verify."),
        (built and unhold, "--built leaves what is held", by_name),
        (not message.isprintable(), "the message must be one line without control characters", "shorten it."),
    )
    how, source = PublishingOptions(**options), session.source()
    registry = session.registry(source.config.tag_scheme)
    asked = None if no_verify else registry
    names = words if built else words[::2]
    wait = awaited(session, source, how, asked)
    publishing = how.publishing(session, source, names, forward=built, subject=message.strip())
    if built:
        services = source.config.select(words)
        done = bump_built(source, services, head=head or head_of_run(), registry=registry, publishing=publishing)
        if not (done.plan.superseded or done.published or done.missing):
            withdraw(publishing, done.plan.head)
        _show_built(done, how, partial(wait, services, done.published) if wait else None)
        return
    changes = _changes(source.config, words)
    confirm = cache(partial(_is_wanted, allowed=allow_unmerged))
    published = bump(source, changes, registry=asked, publishing=publishing, confirm_unmerged=confirm, unhold=unhold)
    if not published:
        withdraw(publishing)  # the person knows best
        already = ", ".join(f"{change.service.name} {change.tag}" for change in changes)
        output.say(f"nothing to do: already at {already}")
    with shown(how, published) as document:
        if wait:
            wait([change.service for change in changes], published, document)


def _changes(config: Config, words: tuple[str, ...]) -> list[TagChange]:
    from orbit_release.flows.bump import TagChange
    from orbit_release.image import Digest, Tag

    names, tags = words[::2], words[1::2]
    example = "for example: orbit-release bump bifrost sha-1a2b3c4"
    refuse(
        (not words or len(words) % 2, "bump takes pairs of a service and a tag", example),
        (len(set(names)) < len(names), "a service is named twice", "give each service one tag."),
    )
    parts = [text.partition("@") for text in tags]
    wanted = {
        name: (Tag(tag), Digest(digest) if at else None) for name, (tag, at, digest) in zip(names, parts, strict=True)
    }
    return [TagChange(service, *wanted[service.name]) for service in config.select(names)]


def _is_wanted(message: str, *, allowed: bool) -> bool:
    if allowed or not is_interactive():
        return allowed
    return click.confirm(f"{message}. Deploy it all the same?", default=False, err=True)


def _show_built(done: BuiltOutcome, how: PublishingOptions, wait: Callable[[dict[str, Any]], None] | None) -> None:
    """Tell what was released and wait for it; raise what there is to complain about, what does not run first."""
    from orbit_release import output

    _tell_nothing(done)
    fault = done.fault
    with shown(how, done.published, [str(image) for image in done.missing]) as document:
        try:
            # With nothing released for a fault, what is deployed is not what was wanted.
            if wait and not done.plan.superseded and (done.published or not fault):
                wait(document)
        except OrbitReleaseError:
            if fault:
                output.show_error(fault)
            raise
        if fault:
            raise fault


def _tell_nothing(done: BuiltOutcome) -> None:
    """Tell why services, or all of them, are not released."""
    from orbit_release import output
    from orbit_release.planning.actions import Action
    from orbit_release.text import printable

    if done.plan.superseded:
        output.say("nothing to do: this head is not on the release branch any more")
    elif not (done.published or done.missing):
        output.say("nothing to do: no image waits for its release")
    for held in done.plan.with_action(Action.HELD):
        output.say(f"{held.service.name} stays: {printable(held.reason)}")
