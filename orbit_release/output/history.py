"""What people and programs read of history and status."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from orbit_release import output
from orbit_release.core.history import Deployed
from orbit_release.core.image import ImageReference
from orbit_release.core.plan import Action
from orbit_release.core.status import Status
from orbit_release.core.text import age

if TYPE_CHECKING:
    from orbit_release.flows.status import Statuses

_DIGITS = 12  # of a digest, in a table

Release = tuple[str, Deployed]  # with the service's name


def show_history(
    releases: Sequence[Release], left_out: int, now: float, shape: str, *, subjects: bool, address: str
) -> None:
    """Print releases, the newest first; `address` is the monorepo's, or ""."""
    if shape == "json":
        services = [_release_document(name, one, now, address) for name, one in releases]
        click.echo(output.to_json({"releases": services}))
        return
    if not releases:
        output.say("nothing was deployed")
        return
    columns = ("SERVICE", "TAG", "SINCE (UTC)", "FOR", "BY", "RELEASE", "COMMITS")
    head, *lines = output.table(columns, [_history_row(name, one, now) for name, one in releases]).split("\n")
    click.echo(head)
    for line, (_, one) in zip(lines, releases, strict=True):
        click.echo(line)
        for commit in one.commits if subjects else ():
            click.echo(f"    {'-' if one.is_rollback else '+'} {commit.name[:7]} {output.foreign(commit.subject)}")
    if left_out:
        output.say(f"{left_out} more: -n 0 shows all")


def _history_row(name: str, one: Deployed, now: float) -> Sequence[str]:
    return (
        name,
        version(one.reference),
        moment(one.since.time),
        age(_until(one, now) - one.since.time) + ("" if one.until else ", now"),
        one.since.author,
        one.since.name[:7],
        f"-{len(one.commits)}, rollback" if one.is_rollback else f"+{len(one.commits)}" if one.base else "",
    )


def _until(one: Deployed, now: float) -> int:
    return one.until.time if one.until else int(now)


def version(reference: ImageReference) -> str:
    """Return what people call an image, with the beginning of the digest that it is pinned to."""
    digest = str(reference.digest)[: len("sha256:") + _DIGITS] if reference.digest else ""
    return "@".join(filter(None, (str(reference.tag or ""), digest))) or "untagged"


def moment(seconds: int) -> str:
    """Return a time, in seconds since 1970, as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _release_document(name: str, one: Deployed, now: float, address: str) -> dict[str, Any]:
    ends = (one.head, one.base) if one.is_rollback else (one.base, one.head)
    return {
        "service": name,
        "tag": str(one.reference.tag) if one.reference.tag else None,
        "digest": str(one.reference.digest) if one.reference.digest else None,
        "since": _iso(one.since.time),
        "until": _iso(one.until.time) if one.until else None,
        "seconds": max(0, _until(one, now) - one.since.time),
        "author": one.since.author,
        "commit": one.since.name,
        "subject": one.since.subject,
        "before": str(one.before) if one.before else None,
        "rollback": one.is_rollback,
        "compare": f"{address}/compare/{ends[0]}...{ends[1]}" if address and one.commits else None,
        "commits": [{"commit": commit.name, "subject": commit.subject} for commit in one.commits],
    }


def show_status(found: Statuses, now: float, shape: str) -> None:
    """Print how the services stand, and what could not be asked."""
    for unasked in found.unasked:
        output.say(f"not asked: {unasked}")
    if shape == "json":
        services = [_status_document(one) for one in found.services]
        click.echo(output.to_json({"services": services, "unasked": list(found.unasked)}))
    else:
        rows = [_status_row(one, now) for one in found.services]
        click.echo(output.table(("SERVICE", "DEPLOYED", "SINCE (UTC)", "AGE", "IMAGE", "STATE"), rows))


def _status_row(one: Status, now: float) -> Sequence[str]:
    since = one.deployed.since.time if one.deployed else None
    return (
        one.service.name,
        version(one.deployed.reference) if one.deployed else "-",
        moment(since) if since is not None else "-",
        age(int(now) - since) if since is not None else "-",
        _image(one),
        state(one) + (f", proposed: {one.pull_request}" if one.pull_request else ""),
    )


def _image(one: Status) -> str:
    return "missing" if one.missing else str(one.digest).partition(":")[2][:_DIGITS] if one.digest else "?"


def state(one: Status) -> str:
    """Return how a service stands, in words."""
    if one.action is Action.ABSENT or one.deployed is None:
        return one.reason
    behind = f"{one.behind} commit{'s' if one.behind != 1 else ''} behind" if one.behind else ""
    if one.hold is not None:
        return f"held: {one.hold}" + (f" ({behind})" if behind else "")
    return (behind or one.reason) if one.target else "current"


def _status_document(one: Status) -> dict[str, Any]:
    return {
        "name": one.service.name,
        "action": str(one.action),
        "reason": one.reason,
        "image": str(one.service.repository),
        "deployed": str(one.deployed.reference) if one.deployed else None,
        "since": _iso(one.deployed.since.time) if one.deployed else None,
        "release": one.deployed.since.name if one.deployed else None,
        "target": str(one.target) if one.target else None,
        "behind": one.behind,
        "hold": one.hold,
        "digest": str(one.digest) if one.digest else None,
        "missing": one.missing if one.digest or one.missing else None,
        "pull_request": one.pull_request or None,
    }
