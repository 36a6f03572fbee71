"""What the commands that publish have in common: their options, the question before, and the result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orbit_release.cli.session import INTERRUPTED, Session, in_actions
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.flows.attempts import Landed, Publish, Published, Publishing
    from orbit_release.flows.publish import Proposal
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
    """Add the options that say how a release is published."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Ways:
    """How a person wants a release published: the values of these options."""

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
        if self.rollback_on_failure and not self.wait:
            raise UsageError("--rollback-on-failure goes with --wait", "add --wait.")
        if self.auto_merge and not self.pr:
            raise UsageError("--auto-merge goes with --pr", "add --pr.")
        if self.no_push and (self.pr or self.via == "api"):
            other = "--pr" if self.pr else "--via api"
            raise UsageError("--no-push keeps the release here", f"leave out --no-push or {other}.")
        if self.pr and self.via == "git":
            raise UsageError("--pr goes through GitHub's API", "leave out --via git.")
        if self.wait and (self.pr or self.no_push):
            other = "--pr" if self.pr else "--no-push"
            raise UsageError("--wait is for what goes on the release branch", f"leave out --wait or {other}.")

    @property
    def words(self) -> bool:
        """Whether people read stdout, not a program."""
        return self.format != "json"

    @property
    def by_api(self) -> bool:
        """Whether GitHub makes the commit on the release branch."""
        known = all(os.environ.get(name) for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
        default = "api" if in_actions() and known else "git"
        return (self.via or default) == "api" and not (self.dry_run or self.no_push or self.pr)

    def proposal(
        self, session: Session, source: Source, names: Iterable[str], verb: str = "", *, forward: bool = False
    ) -> Proposal | None:
        """Return the pull request of what is done to some services, if the release goes into one."""
        from orbit_release.flows.publish import Proposal
        from orbit_release.github.pull_request import branch_name

        if not self.pr or self.dry_run:
            return None
        wanted, everything = source.config.select(names), source.config.services
        branch = branch_name([one.name for one in wanted], [one.name for one in everything], verb)
        return Proposal(source, session.github(source.git), branch, forward=forward, auto_merge=self.auto_merge)

    def publishing(
        self, session: Session, git: Clone, proposal: Proposal | None = None, subject: str = ""
    ) -> Publishing:
        """Return how to publish."""
        from orbit_release.flows.attempts import Publishing

        publish = self._publish(session, git, proposal)
        return Publishing(publish, local=self.no_push, subject=subject, address=session.address(git))

    def _publish(self, session: Session, git: Clone, proposal: Proposal | None) -> Publish:
        """Return what is done with a release: publish it, ask first on a terminal, or with --dry-run show it only."""
        from orbit_release import output
        from orbit_release.flows.attempts import Landed
        from orbit_release.flows.publish import through_api, through_git
        from orbit_release.output.releases import coloured_diff, leaving, show_diff

        put = proposal.put if proposal else through_api(git, session.github(git)) if self.by_api else through_git(git)

        # Where somebody was faster, what is the same is not told and asked again.
        warn, say = cache(output.warn), cache(output.say)

        @cache
        def agreed(diff: str) -> bool:
            output.say(coloured_diff(diff))
            where = "propose it for" if proposal else "commit it to" if self.no_push else "publish it on"
            return click.confirm(f"{where} the release branch?", default=True, err=True)

        def publish(tip: Tip, release: Release, notes: Notes) -> Landed | None:
            for warning in release.warnings:
                warn(warning)
            for line in leaving(notes):
                say(line)
            if self.dry_run:
                show_diff(release.diff(), terminal=sys.stdout.isatty())
                return Landed(tip.commit)
            if not self.yes and is_interactive() and not agreed(release.diff()):
                output.say("nothing was published")
                raise click.exceptions.Exit(INTERRUPTED)
            return put(tip, release, notes)

        return publish

    def withdraw(self, proposal: Proposal | None, known: str | None = None) -> None:
        """Close the open pull request, unless it carries what is newer than the commit `known`."""
        from orbit_release import output

        done = proposal.withdraw(known) if proposal else None
        if done and done.is_closed:
            output.say(f"closed {done.url}: it would change nothing any more")
        elif done:
            output.say(f"left {done.url} open: it proposes something newer than this run's commit")

    def show(self, published: Published | None, *, missing: Sequence[str] | None = None, **more: Any) -> None:
        """Print what was published, and where it went."""
        with self.shown(published, missing=missing, **more):
            pass

    @contextmanager
    def shown(
        self, published: Published | None, *, missing: Sequence[str] | None = None, **more: Any
    ) -> Iterator[dict[str, Any]]:
        """Print what was published, and where it went: in words at once, as JSON with what is added to it meanwhile."""
        from orbit_release.output.releases import release_document

        document = {**release_document(published), **more}
        if missing is not None:
            document["missing"] = missing
        self.tell(published, missing or ())
        try:
            yield document
        except BaseException:
            with suppress(OSError):
                self._print(document)
            raise
        self._print(document)

    def _print(self, document: dict[str, Any]) -> None:
        from orbit_release import output

        if not (self.words or self.dry_run):
            click.echo(output.to_json(document))

    def tell(self, published: Published | None, missing: Sequence[str] = ()) -> None:
        """Tell people of a release, where JSON is not wanted, and the page of a run of Actions."""
        from orbit_release import output
        from orbit_release.output.releases import release_table, summarize_release, where_it_went

        if self.dry_run:
            return
        if published and self.words and not published.landed.is_newer:
            # What is published is waited for, whoever reads along.
            with suppress(OSError) if self.wait else nullcontext():
                click.echo(release_table(published))
        if published:
            output.say(where_it_went(published))
        summarize_release(published, missing, os.environ.get("GITHUB_STEP_SUMMARY"))


def is_interactive() -> bool:
    """Whether somebody can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
