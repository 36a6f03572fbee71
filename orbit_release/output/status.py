"""status: how the services stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from orbit_release.image import ImageReference
from orbit_release.output.console import say, table, to_json, warn
from orbit_release.output.history import DIGITS, iso_time, minute, version
from orbit_release.planning.actions import Action
from orbit_release.text import age, counted, printable

if TYPE_CHECKING:
    from orbit_release.argocd.observation import Observation
    from orbit_release.flows.status import LiveService, Status, Statuses

_DIGEST = re.compile(rf"(sha256:[0-9a-f]{{{DIGITS}}})[0-9a-f]+")


def show_status(statuses: Statuses, now: float, shape: str, *, live: bool) -> None:
    """Print how the services stand, and what could not be asked; `live` says whether what runs was asked for."""
    for warning in statuses.warnings:
        warn(warning)
    for unasked in statuses.unasked:
        say(f"not asked: {unasked}")
    if shape == "json":
        click.echo(to_json(_document(statuses)))
        return
    if statuses.application:
        say(_application(statuses.application))
    columns = ("LIVE", "SYNC", "HEALTH") if live else ()
    rows = [_row(status, now, live=live) for status in statuses.services]
    click.echo(table(("SERVICE", "DEPLOYED", *columns, "SINCE (UTC)", "AGE", "IMAGE", "STATE"), rows))


def _application(observation: Observation) -> str:
    stands = f"{observation.sync or 'of unknown sync'}, {observation.health or 'of unknown health'}"
    words = "; ".join((stands, *observation.errors))
    return printable(f"{observation.name} at {observation.revision[:7] or 'no revision'}: {words}")


def _row(status: Status, now: float, *, live: bool) -> Sequence[str]:
    deployed = status.deployed
    proposed = f", proposed: {status.pull_request}" if status.pull_request else ""
    return (
        status.service.name,
        version(deployed.reference) if deployed else "-",
        *(_live(status) if live else ()),
        minute(deployed.since.time) if deployed else "-",
        age(int(now) - deployed.since.time) if deployed else "-",
        _image(status),
        "; ".join((state(status) + proposed, *_difference(status))),
    )


def _live(status: Status) -> Sequence[str]:
    if status.live is None:
        return ("?", "?", "?")
    return (_tags(status.live.images) or "-", status.live.sync or "?", status.live.health or "?")


def _tags(images: Sequence[ImageReference]) -> str:
    return ", ".join(_DIGEST.sub(r"\1", image.suffix.lstrip(":@")) for image in images)


def _difference(status: Status) -> Iterator[str]:
    """Yield in words how what runs differs from what is deployed, and what ails it."""
    live = status.live
    if live is None:
        return
    missing, other = _tags(live.missing), _tags(live.other)
    if missing:
        yield f"{missing} does not run" + (f", {other} does" if other else "")
    elif other:
        yield f"{other} runs as well"
    if live.health != "Healthy" and live.message:
        yield live.message


def _image(status: Status) -> str:
    return "missing" if status.missing else str(status.digest).partition(":")[2][:DIGITS] if status.digest else "?"


def state(status: Status) -> str:
    if status.action is Action.ABSENT or status.deployed is None:
        return status.reason
    behind = f"{counted(status.behind, 'commit')} behind" if status.behind else ""
    if status.hold is not None:
        return f"held: {status.hold}" + (f" ({behind})" if behind else "")
    return (behind or status.reason) if status.target else "current"


def _document(statuses: Statuses) -> dict[str, Any]:
    services = [_service_document(status) for status in statuses.services]
    application = _application_document(statuses.application) if statuses.application else None
    return {"services": services, "application": application, "unasked": list(statuses.unasked)}


def _application_document(observation: Observation) -> dict[str, Any]:
    return {
        "name": observation.name,
        "revision": observation.revision or None,
        "sync": observation.sync or None,
        "health": observation.health or None,
        "errors": list(observation.errors),
    }


def _service_document(status: Status) -> dict[str, Any]:
    deployed = status.deployed
    return {
        "name": status.service.name,
        "action": str(status.action),
        "reason": status.reason,
        "image": str(status.service.repository),
        "deployed": str(deployed.reference) if deployed else None,
        "since": iso_time(deployed.since.time) if deployed else None,
        "release": deployed.since.name if deployed else None,
        "target": str(status.target) if status.target else None,
        "behind": status.behind,
        "hold": status.hold,
        "digest": str(status.digest) if status.digest else None,
        "missing": status.missing if status.digest or status.missing else None,
        "pull_request": status.pull_request or None,
        "live": _live_document(status.live) if status.live else None,
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
