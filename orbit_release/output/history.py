"""history: what was deployed when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from orbit_release.image import ImageReference
from orbit_release.output.console import foreign, say, table, to_json
from orbit_release.releases.timeline import Stretch
from orbit_release.text import age

DIGITS = 12  # of a digest, in a table


def show_history(
    releases: Sequence[tuple[str, Stretch]], left_out: int, now: float, shape: str, *, subjects: bool, address: str
) -> None:
    """Print releases by their service's name, the newest first; `address` is the monorepo's, or ""."""
    if shape == "json":
        click.echo(to_json({"releases": [_document(name, release, now, address) for name, release in releases]}))
        return
    if not releases:
        say("nothing was deployed")
        return
    columns = ("SERVICE", "TAG", "SINCE (UTC)", "FOR", "BY", "RELEASE", "COMMITS")
    head, *lines = table(columns, [_row(name, release, now) for name, release in releases]).split("\n")
    click.echo(head)
    for line, (_, release) in zip(lines, releases, strict=True):
        click.echo(line)
        for commit in release.commits if subjects else ():
            click.echo(f"    {'-' if release.is_rollback else '+'} {commit.name[:7]} {foreign(commit.subject)}")
    if left_out:
        say(f"{left_out} more: -n 0 shows all")


def _row(name: str, release: Stretch, now: float) -> Sequence[str]:
    count = len(release.commits)
    return (
        name,
        version(release.reference),
        minute(release.since.time),
        age(_until(release, now) - release.since.time) + ("" if release.until else ", now"),
        release.since.author,
        release.since.name[:7],
        f"-{count}, rollback" if release.is_rollback else f"+{count}" if release.base else "",
    )


def _until(release: Stretch, now: float) -> int:
    return release.until.time if release.until else int(now)


def version(reference: ImageReference) -> str:
    """Return what people call an image, with the beginning of the digest that it is pinned to."""
    digest = str(reference.digest)[: len("sha256:") + DIGITS] if reference.digest else ""
    return "@".join(filter(None, (str(reference.tag or ""), digest))) or "untagged"


def minute(seconds: int) -> str:
    """Return a time, in seconds since 1970, as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def iso_time(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _document(name: str, release: Stretch, now: float, address: str) -> dict[str, Any]:
    reference = release.reference
    older, newer = (release.head, release.base) if release.is_rollback else (release.base, release.head)
    differ = address and older and newer and older != newer
    return {
        "service": name,
        "tag": str(reference.tag) if reference.tag else None,
        "digest": str(reference.digest) if reference.digest else None,
        "since": iso_time(release.since.time),
        "until": iso_time(release.until.time) if release.until else None,
        "seconds": max(0, _until(release, now) - release.since.time),
        "author": release.since.author,
        "commit": release.since.name,
        "subject": release.since.subject,
        "before": str(release.before) if release.before else None,
        "rollback": release.is_rollback,
        "compare": f"{address}/compare/{older}...{newer}" if differ else None,
        "commits": [{"commit": commit.name, "subject": commit.subject} for commit in release.commits],
    }
