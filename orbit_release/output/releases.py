"""A release: its diff, what it changes, where it went, and the summary of a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from orbit_release.output.console import foreign, in_actions, summarize, table
from orbit_release.releases.messages import Notes, hold_text, summary
from orbit_release.text import code, printable

if TYPE_CHECKING:
    from orbit_release.flows.publish_until_landed import Published
    from orbit_release.image import ImageReference, Repository


def coloured_diff(diff: str) -> str:
    """Return a diff with its changed lines in colour; click strips the colour where nobody sees it."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    lines = [(foreign(line.expandtabs(4)), colours.get(line[:1])) for line in diff.splitlines()]
    return "\n".join(click.style(line, fg=colour) for line, colour in lines)


def show_diff(diff: str, *, terminal: bool) -> None:
    """Print a diff: as it is for `git apply`; for reading on a terminal and in Actions, which obey what is in it."""
    if terminal or in_actions():
        click.echo(coloured_diff(diff))
    else:
        click.echo(diff.encode("utf-8", "surrogateescape"), nl=False)


def release_document(published: Published | None) -> dict[str, Any]:
    commit, pull_request = (published.landed.commit, published.landed.pull_request) if published else (None, None)
    release = published.release if published and not published.landed.is_newer else None
    edits = [
        {"path": edit.path, "line": edit.line, "before": str(edit.before), "after": str(edit.after)}
        for edit in (release.edits if release else ())
    ]
    holds = [
        {
            "path": mark.path,
            "line": mark.line,
            "image": str(mark.repository),
            "before": mark.before,
            "after": mark.after,
        }
        for mark in (release.marks if release else ())
    ]
    return {"commit": commit, "pull_request": pull_request, "edits": edits, "holds": holds}


def where_it_went(published: Published) -> str:
    commit, pull_request = published.landed.commit[:7], published.landed.pull_request
    if published.landed.is_newer:
        return f"nothing to do: something newer is proposed for {published.tip.branch}: {printable(str(pull_request))}"
    if pull_request:
        return f"proposed {commit} for {published.tip.branch}: {printable(pull_request)}"
    return f"{'published' if published.tip.remote else 'committed'} {commit} on {published.tip.branch}"


def summarize_release(published: Published | None, missing: Sequence[str], file: str | None) -> None:
    notes, where, warnings = None, "", published.release.warnings if published else ()
    if published and not published.landed.is_newer:
        notes, link = published.notes, published.landed.pull_request
        where = f"proposed: {link}" if link else f"on {code(published.tip.branch)}"
    summarize(file, release_summary(notes, where, missing, warnings))


def release_summary(notes: Notes | None, where: str, missing: Sequence[str], warnings: Sequence[str] = ()) -> str:
    """Return a release (None: there was nothing to release) as Markdown, the images that are missing, and warnings."""
    title = f"### {code(notes.title)} {where}\n\n{summary(notes)}" if notes else "### Nothing was released\n"
    lost = "".join(f"- {code(image)}\n" for image in missing)
    told = "".join(f"- {code(warning)}\n" for warning in warnings)
    lost = f"**Not in the registry**, so not released:\n\n{lost}\n" if lost else ""
    return f"{title}\n{lost}" + (f"{told}\n" if told else "")


def release_table(published: Published) -> str:
    edits, marks = published.release.edits, published.release.marks
    if edits:
        rows = [
            (_image(edit.before.repository), _suffix(edit.before), _suffix(edit.after), f"{edit.path}:{edit.line}")
            for edit in edits
        ]
        return table(("IMAGE", "BEFORE", "AFTER", "MANIFEST"), rows)
    holds = [(_image(mark.repository), f"{mark.path}:{mark.line}", hold_text(mark.after)) for mark in marks]
    return table(("IMAGE", "MANIFEST", "HOLD"), holds)


def _image(repository: Repository) -> str:
    return repository.name.rpartition("/")[2]


def _suffix(reference: ImageReference) -> str:
    return reference.suffix.lstrip(":@") or "untagged"


def leaving(notes: Notes) -> Iterator[str]:
    """Yield, for each service that goes back, the commits that go out with it."""
    for step in notes.steps:
        if step.leaving:
            lines = [f"{step.service}: {step.before} -> {step.after} takes {step.distance}"]
            lines += [f"    - {commit.name[:7]} {foreign(commit.subject)}" for commit in step.leaving]
            more = (step.commits or 0) - len(step.leaving)
            lines += [f"    and {more} more"] if more > 0 else []
            yield "\n".join((*lines, *filter(None, [notes.compare_link(step)])))
