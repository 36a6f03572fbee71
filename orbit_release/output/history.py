"""What people and programs read of history and status."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from orbit_release import output
from orbit_release.image import ImageReference
from orbit_release.planning.actions import Action
from orbit_release.releases.timeline import Deployed
from orbit_release.text import age, printable

if TYPE_CHECKING:
    from orbit_release.argocd.observation import Observation
    from orbit_release.flows.status import LiveService, Status, Statuses

_DIGITS = 12  # of a digest, in a table
_DIGEST = re.compile(rf"(sha256:[0-9a-f]{{{_DIGITS}}})[0-9a-f]+")

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


def show_status(found: Statuses, now: float, shape: str, *, live: bool) -> None:
    """Print how the services stand, and what could not be asked; `live` says whether what runs was asked for."""
    for unasked in found.unasked:
        output.say(f"not asked: {unasked}")
    if shape == "json":
        click.echo(output.to_json(_statuses_document(found)))
        return
    if found.application:
        output.say(_application(found.application))
    columns = ("LIVE", "SYNC", "HEALTH") if live else ()
    rows = [_status_row(one, now, live=live) for one in found.services]
    click.echo(output.table(("SERVICE", "DEPLOYED", *columns, "SINCE (UTC)", "AGE", "IMAGE", "STATE"), rows))


def _status_row(one: Status, now: float, *, live: bool) -> Sequence[str]:
    since = one.deployed.since.time if one.deployed else None
    return (
        one.service.name,
        version(one.deployed.reference) if one.deployed else "-",
        *(_live(one) if live else ()),
        moment(since) if since is not None else "-",
        age(int(now) - since) if since is not None else "-",
        _image(one),
        "; ".join((state(one) + (f", proposed: {one.pull_request}" if one.pull_request else ""), *_difference(one))),
    )


def _application(seen: Observation) -> str:
    stands = f"{seen.sync or 'of unknown sync'}, {seen.health or 'of unknown health'}"
    return printable(f"{seen.name} at {seen.revision[:7] or 'no revision'}: {'; '.join((stands, *seen.errors))}")


def _live(one: Status) -> Sequence[str]:
    if one.live is None:
        return ("?", "?", "?")
    return (_tags(one.live.images) or "-", one.live.sync or "?", one.live.health or "?")


def _tags(images: Sequence[ImageReference]) -> str:
    return ", ".join(_DIGEST.sub(r"\1", image.suffix.lstrip(":@")) for image in images)


def _difference(one: Status) -> Iterator[str]:
    """Yield in words how what runs differs from what is deployed, and what ails it."""
    if one.live is None:
        return
    missing, other = _tags(one.live.missing), _tags(one.live.other)
    if missing:
        yield f"{missing} does not run" + (f", {other} does" if other else "")
    elif other:
        yield f"{other} runs as well"
    if one.live.health != "Healthy" and one.live.message:
        yield one.live.message


def _statuses_document(found: Statuses) -> dict[str, Any]:
    seen = found.application
    return {
        "services": [_status_document(one) for one in found.services],
        "application": {
            "name": seen.name,
            "revision": seen.revision or None,
            "sync": seen.sync or None,
            "health": seen.health or None,
            "errors": list(seen.errors),
        }
        if seen
        else None,
        "unasked": list(found.unasked),
    }


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
        "live": _live_document(one.live) if one.live else None,
    }


def _live_document(live: LiveService) -> dict[str, Any]:
    return {
        "images": [str(image) for image in live.images],
        "missing": [str(image) for image in live.missing],
        "other": [str(image) for image in live.other],
        "sync": live.sync or None,
        "health": live.health or None,
        "message": live.message or None,
    }
