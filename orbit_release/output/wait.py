"""What people and programs read of a wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from orbit_release import output
from orbit_release.core.health import Failed, Look, Ready, Superseded, Waiting, missing_images
from orbit_release.core.image import ImageReference
from orbit_release.core.text import printable

if TYPE_CHECKING:
    from orbit_release.flows.wait import Waited

_MARGIN = 12  # columns of the spinner and the time


@contextmanager
def waiting(application: str, *, terminal: bool) -> Iterator[Callable[[str], None]]:
    """Give a callable that shows what is waited for: on a terminal as one live line, elsewhere each as a line."""
    if not terminal or output.in_actions():
        yield lambda reason: output.say(f"{application} waits for {printable(reason)}")
        return
    from rich.console import Console  # noqa: PLC0415  (25 ms that only a terminal pays for)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as live:
        task = live.add_task(application)

        def show(reason: str) -> None:
            text = f"{application} waits for {printable(reason)}"
            live.update(task, description=text[: live.console.width - _MARGIN])

        yield show


def show_wait(waited: Waited, revision: str, application: str, rollback: str, shape: str) -> None:
    """Print how a wait ended; with the shape `told`, in words only."""
    if shape == "json":
        click.echo(output.to_json(_document(waited, revision, application, rollback)))
        return
    if shape == "table":
        rows = [(name, _version(image), _state(waited.look, image)) for name, image in _pairs(waited)]
        click.echo(output.table(("SERVICE", "TAG", "STATE"), rows))
    if isinstance(waited.verdict, Ready):
        seen = waited.look.observation.revision if waited.look else revision
        there = f", by its descendant {seen[:7]}" if seen != revision else ""
        output.say(f"{application} runs {revision[:7]}{there}, after {waited.seconds:.0f} s")
    elif isinstance(waited.verdict, Superseded):
        output.say(f"{revision[:7]} is superseded by {waited.verdict.commit[:7]}")


def _pairs(waited: Waited) -> Iterator[tuple[str, str]]:
    for name, images in waited.images.items():
        yield from ((name, image) for image in images or ("",))


def _version(image: str) -> str:
    return ImageReference.parse(image).version if image else "-"


def _state(look: Look | None, image: str) -> str:
    if not image:
        return "needs no pod"
    if look is None or look.images == ():
        return "unknown"
    return "missing" if image in missing_images(look) else "running"


def _document(waited: Waited, revision: str, application: str, rollback: str) -> dict[str, Any]:
    verdict, look = waited.verdict, waited.look
    seen, failed = look.observation if look else None, verdict if isinstance(verdict, Failed) else None
    operation = seen.operation if seen else None
    return {
        "application": application,
        "revision": revision,
        "outcome": _outcome(verdict),
        "message": failed.message if failed else verdict.reason if isinstance(verdict, Waiting) else None,
        "resource": str(failed.resource) if failed and failed.resource else None,
        "superseded_by": verdict.commit if isinstance(verdict, Superseded) else None,
        "rollback": rollback or None,
        "seconds": int(waited.seconds),
        "seen": {
            "revision": seen.revision or None,
            "sync": seen.sync or None,
            "health": seen.health or None,
            "operation": (operation.phase or None) if operation else None,
        }
        if seen
        else None,
        "images": [
            {"service": name, "image": image, "state": _state(look, image)} for name, image in _pairs(waited) if image
        ],
    }


def _outcome(verdict: object) -> str:
    names = {Ready: "ready", Superseded: "superseded", Failed: "failed", Waiting: "timed out"}
    return names[type(verdict)]
