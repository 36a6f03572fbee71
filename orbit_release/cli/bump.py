"""bump: set image tags in the manifests, and publish the release."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import click

from orbit_release.cli.publishing import Ways, is_interactive, publishing_options
from orbit_release.cli.session import Session, complete_service, head_of_run
from orbit_release.cli.wait import awaited, wait_options
from orbit_release.errors import NotFoundError, OrbitReleaseError, UsageError

if TYPE_CHECKING:
    from orbit_release.config import Config
    from orbit_release.flows.bump import Built, Change


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
    from orbit_release.flows import bump as flow

    _check_built(built=built, head=head, no_verify=no_verify, unhold=unhold)
    ways = Ways(**options)
    source = session.source()
    registry = session.registry()
    asked = None if no_verify else registry
    names = words if built else words[::2]
    wait = awaited(session, source, ways, asked)
    proposal = ways.proposal(session, source, names, forward=built)
    publishing = ways.publishing(session, source.git, proposal, _one_line(message))
    if built:
        services = source.config.select(words)
        result = flow.bump_built(source, services, head=head or head_of_run(), registry=registry, publishing=publishing)
        if not result.plan.superseded and not result.published and not result.missing:
            ways.withdraw(proposal, result.plan.head)
        _tell_built(result)
        with ways.shown(result.published, missing=[str(image) for image in result.missing]) as document:
            _end_built(result, partial(wait, services, result.published, document) if wait else None)
        return
    changes = _changes(source.config, words)
    published = flow.bump(
        source,
        changes,
        registry=asked,
        publishing=publishing,
        confirm_unmerged=_unmerged(allowed=allow_unmerged),
        unhold=unhold,
    )
    if not published:
        ways.withdraw(proposal)  # the person knows best
        already = ", ".join(f"{change.service.name} {change.tag}" for change in changes)
        output.say(f"nothing to do: already at {already}")
    with ways.shown(published) as document:
        if wait:
            wait([change.service for change in changes], published, document)


def _check_built(*, built: bool, head: str | None, no_verify: bool, unhold: bool) -> None:
    if head and not built:
        raise UsageError("--head goes with --built", "a tag names its commit itself.")
    if built and no_verify:
        raise UsageError("--built asks the registry what was built", "leave out --no-verify.")
    if built and unhold:
        raise UsageError("--built leaves what is held", "name the service and its tag, or run orbit-release unhold.")


def _changes(config: Config, words: tuple[str, ...]) -> list[Change]:
    from orbit_release.flows.bump import Change
    from orbit_release.image import Digest, Tag

    if not words or len(words) % 2:
        raise UsageError(
            "bump takes pairs of a service and a tag", "for example: orbit-release bump bifrost sha-1a2b3c4"
        )
    names, tags = words[::2], words[1::2]
    if len(set(names)) < len(names):
        raise UsageError("a service is named twice", "give each service one tag.")
    parts = [text.partition("@") for text in tags]
    wanted = {
        name: (Tag(tag), Digest(digest) if at else None) for name, (tag, at, digest) in zip(names, parts, strict=True)
    }
    return [Change(service, *wanted[service.name]) for service in config.select(names)]


def _unmerged(*, allowed: bool) -> Callable[[str], bool]:
    @cache
    def confirm(message: str) -> bool:
        if allowed or not is_interactive():
            return allowed
        return click.confirm(f"{message}. Deploy it all the same?", default=False, err=True)

    return confirm


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise UsageError("the message must be one line without control characters", "shorten it.")
    return text.strip()


def _tell_built(result: Built) -> None:
    from orbit_release import output
    from orbit_release.planning.actions import Action
    from orbit_release.text import printable

    if result.plan.superseded:
        output.say("nothing to do: this head is not on the release branch any more")
    elif result.published is None and not result.missing:
        output.say("nothing to do: no image waits for its release")
    for one in result.plan.with_action(Action.HELD):
        output.say(f"{one.service.name} stays: {printable(one.reason)}")


def _end_built(result: Built, wait: Callable[[], None] | None) -> None:
    """Wait for what was released, and raise what there is to complain about; what does not run comes first."""
    from orbit_release import output

    fault = _fault_of(result)
    try:
        # With nothing released for a fault, what is deployed is not what was wanted.
        if wait and not result.plan.superseded and (result.published or not fault):
            wait()
    except OrbitReleaseError:
        if fault:
            output.show_error(fault)
        raise
    if fault:
        raise fault


def _fault_of(result: Built) -> OrbitReleaseError | None:
    from orbit_release.flows.plan import clash_of

    if clash := clash_of(result.plan.services):
        return clash
    missing = [str(image) for image in result.missing]
    hint = "their builds failed or did not run: run `orbit-release build`, then this again."
    return NotFoundError("not in the registry: " + ", ".join(missing), hint) if missing else None
