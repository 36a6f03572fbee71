"""What is told of a release that a command published, or of the pull request that it has no use for any more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orbit_release.cli.publishing import PublishingOptions
    from orbit_release.flows.publish import ReleasePullRequest
    from orbit_release.flows.publish_until_landed import Published, Publishing


@dataclass(frozen=True, slots=True)
class Publication:
    """How a command's release is published, and the pull request that it goes into, if it does."""

    options: PublishingOptions
    publishing: Publishing
    pull_request: ReleasePullRequest | None

    def withdraw(self, known: str | None = None) -> None:
        """Close the open pull request, unless it carries what is newer than the commit `known`."""
        from orbit_release import output

        withdrawal = self.pull_request.withdraw(known) if self.pull_request else None
        if withdrawal and withdrawal.is_closed:
            output.say(f"closed {withdrawal.url}: it would change nothing any more")
        elif withdrawal:
            output.say(f"left {withdrawal.url} open: it proposes something newer than this run's commit")

    @contextmanager
    def shown(self, published: Published | None, missing: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Print what was published, and where it went: in words at once, as JSON with what is added to it meanwhile."""
        from orbit_release import output

        document = output.release_document(published)
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

        if not (self.options.words or self.options.dry_run):
            click.echo(output.to_json(document))

    def tell(self, published: Published | None, missing: Sequence[str] = ()) -> None:
        """Tell people of a release, where JSON is not wanted, and the page of a run of Actions."""
        from orbit_release import output

        if self.options.dry_run:
            return
        if published and self.options.words and not published.landed.is_newer:
            # What is published is waited for, whoever reads along.
            with suppress(OSError) if self.options.wait else nullcontext():
                click.echo(output.release_table(published))
        if published:
            output.say(output.where_it_went(published))
        output.summarize_release(published, missing, os.environ.get("GITHUB_STEP_SUMMARY"))
