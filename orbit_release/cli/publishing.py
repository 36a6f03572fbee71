"""What the commands that publish have in common: their options, the question before, and what they tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orbit_release.cli.session import INTERRUPTED, Session, in_actions, refuse

if TYPE_CHECKING:
    from orbit_release.flows.publish_until_landed import Landed, Published, Publishing, Put
    from orbit_release.flows.source import Source
    from orbit_release.git.clone import Clone, Tip
    from orbit_release.releases.messages import Notes
    from orbit_release.releases.release import Release

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--dry-run", is_flag=True, help="Print the change as a unified diff and stop."),
    click.option("--no-push", is_flag=True, help="Commit to the clone's own release branch instead."),
    click.option(
        "--via", type=click.Choice(["git", "api"]), help="Push, or have GitHub commit.  [default: api in Actions]"
    ),
    click.option("--pr", is_flag=True, help="Open a pull request instead, or bring the open one up to date."),
    click.option("--auto-merge", is_flag=True, help="With --pr, merge it once its checks have passed."),
    click.option("-y", "--yes", is_flag=True, help="Publish without asking."),
    click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True),
)


def publishing_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class PublishingOptions:
    """How a person wants a release published; UsageError for options that do not go together."""

    dry_run: bool
    no_push: bool
    via: str | None
    pr: bool
    auto_merge: bool
    yes: bool
    format: str
    wait: bool = False
    timeout: str = ""
    rollback_on_failure: bool = False

    def __post_init__(self) -> None:
        pr, no_push, wait, via = self.pr, self.no_push, self.wait, self.via
        local, on_branch = "--no-push keeps the release here", "--wait is for what goes on the release branch"
        refuse(
            (self.rollback_on_failure and not wait, "--rollback-on-failure goes with --wait", "add --wait."),
            (self.auto_merge and not pr, "--auto-merge goes with --pr", "add --pr."),
            (no_push and pr, local, "leave out --no-push or --pr."),
            (no_push and via == "api", local, "leave out --no-push or --via api."),
            (pr and via == "git", "--pr goes through GitHub's API", "leave out --via git."),
            (wait and pr, on_branch, "leave out --wait or --pr."),
            (wait and no_push, on_branch, "leave out --wait or --no-push."),
        )

    @property
    def words(self) -> bool:
        """Whether people read stdout, not a program."""
        return self.format != "json"

    def publishing(
        self,
        session: Session,
        source: Source,
        names: Iterable[str] = (),
        verb: str = "",
        *,
        forward: bool = False,
        subject: str = "",
    ) -> Publishing:
        """`forward`: a pull request that proposes something newer is left as it is."""
        from orbit_release.flows.publish import ReleasePullRequest
        from orbit_release.flows.publish_until_landed import Publishing
        from orbit_release.github.pull_request import branch_name

        common = (self.no_push, subject, session.address(source.git), self._review())
        if not self.pr or self.dry_run:
            return Publishing(self._put(session, source.git), *common)
        wanted, services = source.config.select(names), source.config.services
        branch = branch_name([service.name for service in wanted], [service.name for service in services], verb)
        pull_request = ReleasePullRequest(source, session.github(source.git), branch, forward, self.auto_merge)
        return Publishing(pull_request.put, *common, pull_request.withdraw)

    def _put(self, session: Session, git: Clone) -> Put:
        from orbit_release.flows.publish import put_by_api, put_by_git

        if self.dry_run:
            return _show_diff
        known = all(os.environ.get(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
        default = "api" if in_actions() and known and not self.no_push else "git"
        by_api = (self.via or default) == "api"
        return partial(put_by_api, git, session.github(git)) if by_api else partial(put_by_git, git)

    def _review(self) -> Callable[[Release, Notes], None]:
        """Return what tells people of a release, and asks on a terminal whether it is wanted."""
        from orbit_release import output
        from orbit_release.output.releases import leaving

        # Where somebody was faster, what is the same is not told and asked again.
        warn, say, confirm = cache(output.warn), cache(output.say), cache(_confirm)
        where = "propose it for" if self.pr else "commit it to" if self.no_push else "publish it on"

        def review(release: Release, notes: Notes) -> None:
            for warning in release.warnings:
                warn(warning)
            for line in leaving(notes):
                say(line)
            if not self.dry_run and not self.yes and is_interactive():
                confirm(release.diff(), f"{where} the release branch?")

        return review


def withdraw(publishing: Publishing, known: str | None = None) -> None:
    """Close the open pull request, unless it carries what is newer than the commit `known`."""
    from orbit_release import output

    withdrawal = publishing.withdraw(known)
    if withdrawal and withdrawal.is_closed:
        output.say(f"closed {withdrawal.url}: it would change nothing any more")
    elif withdrawal:
        output.say(f"left {withdrawal.url} open: it proposes something newer than this run's commit")


@contextmanager
def shown(
    options: PublishingOptions, published: Published | None, missing: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Print what was published, and where it went: in words at once, as JSON with what is added to it meanwhile."""
    from orbit_release.output.releases import release_document

    document = release_document(published)
    if missing is not None:
        document["missing"] = missing
    tell_published(options, published, missing or ())
    try:
        yield document
    except BaseException:
        with suppress(OSError):
            _print_document(options, document)
        raise
    _print_document(options, document)


def _print_document(options: PublishingOptions, document: dict[str, Any]) -> None:
    from orbit_release import output

    if not (options.words or options.dry_run):
        click.echo(output.to_json(document))


def tell_published(options: PublishingOptions, published: Published | None, missing: Sequence[str] = ()) -> None:
    """Tell people of a release, where JSON is not wanted, and the page of a run of Actions."""
    from orbit_release import output
    from orbit_release.output.releases import release_table, summarize_release, where_it_went

    if options.dry_run:
        return
    if published and options.words and not published.landed.is_newer:
        # What is published is waited for, whoever reads along.
        with suppress(OSError) if options.wait else nullcontext():
            click.echo(release_table(published))
    if published:
        output.say(where_it_went(published))
    summarize_release(published, missing, os.environ.get("GITHUB_STEP_SUMMARY"))


def _show_diff(tip: Tip, release: Release, _: Notes) -> Landed:
    from orbit_release.flows.publish_until_landed import Landed
    from orbit_release.output.releases import show_diff

    show_diff(release.diff(), terminal=sys.stdout.isatty())
    return Landed(tip.commit)


def _confirm(diff: str, question: str) -> None:
    from orbit_release import output
    from orbit_release.output.releases import coloured_diff

    output.say(coloured_diff(diff))
    if not click.confirm(question, default=True, err=True):
        output.say("nothing was published")
        raise click.exceptions.Exit(INTERRUPTED)


def is_interactive() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
