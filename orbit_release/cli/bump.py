"""bump: set image tags in the manifests, and publish the release."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from orbit_release.cli.session import INTERRUPTED, Session, complete_service, head_of_run, in_actions
from orbit_release.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from orbit_release.adapters.git.clone import Clone, Tip
    from orbit_release.config import Config
    from orbit_release.core.release import Notes, Release
    from orbit_release.flows.bump import Built, Change, Landed, Publish, Published
    from orbit_release.flows.publish import Proposal


@click.command("bump")
@click.argument("words", metavar="[SERVICE TAG]...", nargs=-1, shell_complete=complete_service)
@click.option("--built", is_flag=True, help="Release whatever has been built: all services, or the named ones.")
@click.option("--head", help="With --built, the commit to release.  [default: GITHUB_SHA in Actions, else the tip]")
@click.option("--dry-run", is_flag=True, help="Print the change as a unified diff and stop.")
@click.option("--no-push", is_flag=True, help="Commit to the clone's own release branch instead.")
@click.option(
    "--via", type=click.Choice(["git", "api"]), help="Push, or have GitHub commit.  [default: api in Actions]"
)
@click.option("--pr", is_flag=True, help="Open a pull request instead, or bring the open one up to date.")
@click.option("--auto-merge", is_flag=True, help="With --pr, merge it once its checks have passed.")
@click.option("--no-verify", is_flag=True, help="Do not ask the registry whether the tags exist.")
@click.option("-y", "--yes", is_flag=True, help="Publish without asking.")
@click.option("--allow-unmerged", is_flag=True, help="Deploy a commit that is not on the release branch.")
@click.option("-m", "--message", default="", help="The release commit's subject.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def bump_command(session: Session, /, words: tuple[str, ...], *, built: bool, head: str | None, **options: Any) -> None:
    """Set image tags in the manifests and publish the release.

    TAG may carry a digest: sha-1a2b3c4@sha256:…
    """
    from orbit_release.flows import bump as flow

    if head and not built:
        raise UsageError("--head goes with --built", "a tag names its commit itself.")
    if built and options["no_verify"]:
        raise UsageError("--built asks the registry what was built", "leave out --no-verify.")
    _check_ways(**options)
    source = session.source()
    proposal = _proposal(session, source.git, words if built else words[::2], built=built, **options)
    common = {
        "registry": None if options["no_verify"] else session.registry(),
        "publish": _publisher(session, source.git, proposal, **options),
        "local": options["no_push"],
        "subject": _one_line(options["message"]),
        "address": session.address(source.git),
    }
    if built:
        result = flow.bump_built(source, source.config.select(words), head=head or head_of_run(), **common)
        if proposal and not result.plan.superseded and not result.published and not result.missing:
            _withdraw(proposal, source.config.branch, **options)
        _show_built(result, options["format"], dry_run=options["dry_run"])
        return
    changes = _changes(source.config, words)
    confirm = _unmerged(allowed=options["allow_unmerged"])
    published = flow.bump(source, changes, confirm_unmerged=confirm, **common)
    if proposal and not published:
        _withdraw(proposal, source.config.branch, **options)
    _show_bump(published, changes, options["format"], dry_run=options["dry_run"])


def _check_ways(*, no_push: bool, via: str | None, pr: bool, auto_merge: bool, **_: object) -> None:
    if auto_merge and not pr:
        raise UsageError("--auto-merge goes with --pr", "add --pr.")
    if no_push and (pr or via == "api"):
        raise UsageError("--no-push keeps the release here", f"leave out --no-push or {'--pr' if pr else '--via api'}.")
    if pr and via == "git":
        raise UsageError("--pr goes through GitHub's API", "leave out --via git.")


def _proposal(
    session: Session, git: Clone, names: Sequence[str], *, pr: bool, built: bool, auto_merge: bool, **_: object
) -> Proposal | None:
    from orbit_release.core.pull_request import branch_name
    from orbit_release.flows.publish import Proposal

    return Proposal(git, session.github(git), branch_name(names), forward=built, auto_merge=auto_merge) if pr else None


def _withdraw(proposal: Proposal, branch: str, *, dry_run: bool, **_: object) -> None:
    from orbit_release import output

    if not dry_run and (closed := proposal.withdraw(branch)):
        output.say(f"closed {closed}: it would change nothing any more")


def _changes(config: Config, words: tuple[str, ...]) -> list[Any]:
    from orbit_release.core.image import Digest, Tag
    from orbit_release.flows.bump import Change

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


def _publisher(
    session: Session,
    git: Clone,
    proposal: Proposal | None,
    *,
    dry_run: bool,
    no_push: bool,
    yes: bool,
    via: str | None,
    **_: object,
) -> Publish:
    """Return what is done with a release: publish it, ask first on a terminal, or with --dry-run show it only."""
    from orbit_release import output
    from orbit_release.flows.bump import Landed
    from orbit_release.flows.publish import through_api, through_git

    by_api = (via or _default_way()) == "api" and not (dry_run or no_push or proposal)
    put = proposal.put if proposal else through_api(git, session.github(git)) if by_api else through_git(git)
    where = "propose it for" if proposal else "commit it to" if no_push else "publish it on"

    @cache
    def agreed(diff: str) -> bool:
        output.say(output.coloured_diff(diff))
        return click.confirm(f"{where} the release branch?", default=True, err=True)

    def publish(tip: Tip, release: Release, notes: Notes) -> Landed | None:
        for warning in release.warnings:
            output.warn(warning)
        if dry_run:
            output.show_diff(release.diff(), terminal=sys.stdout.isatty())
            return Landed(tip.commit)
        if not yes and _is_interactive() and not agreed(release.diff()):
            output.say("nothing was published")
            raise click.exceptions.Exit(INTERRUPTED)
        return put(tip, release, notes)

    return publish


def _default_way() -> str:
    known = all(os.environ.get(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
    return "api" if in_actions() and known else "git"


def _is_interactive() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _unmerged(*, allowed: bool) -> Callable[[str], bool]:
    @cache
    def confirm(message: str) -> bool:
        if allowed or not _is_interactive():
            return allowed
        return click.confirm(f"{message}. Deploy it all the same?", default=False, err=True)

    return confirm


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise UsageError("the message must be one line without control characters", "shorten it.")
    return text.strip()


def _show_bump(published: Published | None, changes: Sequence[Change], shape: str, *, dry_run: bool) -> None:
    from orbit_release import output

    if published is None:
        already = ", ".join(f"{change.service.name} {change.tag}" for change in changes)
        output.say(f"nothing to do: already at {already}")
    _show_release(published, shape, dry_run=dry_run)


def _show_release(published: Published | None, shape: str, *, dry_run: bool, **more: Any) -> None:
    from orbit_release import output

    if dry_run:
        return
    if shape == "json":
        click.echo(output.to_json({**output.release_document(published), **more}))
    elif published:
        click.echo(output.release_table(published.release))
        output.say(output.where_it_went(published))
    output.summarize_release(published, more.get("missing", ()), os.environ.get("GITHUB_STEP_SUMMARY"))


def _show_built(result: Built, shape: str, *, dry_run: bool) -> None:
    from orbit_release import output
    from orbit_release.core.plan import Action
    from orbit_release.core.text import printable
    from orbit_release.flows.plan import clash_of

    missing = [str(image) for image in result.missing]
    if result.plan.superseded:
        output.say("nothing to do: this head is not on the release branch any more")
    elif result.published is None and not missing:
        output.say("nothing to do: no image waits for its release")
    for one in result.plan.with_action(Action.HELD):
        output.say(f"{one.service.name} stays: {printable(one.reason)}")
    _show_release(result.published, shape, dry_run=dry_run, missing=missing)
    if clash := clash_of(result.plan.services):
        raise clash
    if missing:
        hint = "their builds failed or did not run: run `orbit-release build`, then this again."
        raise NotFoundError("not in the registry: " + ", ".join(missing), hint)
