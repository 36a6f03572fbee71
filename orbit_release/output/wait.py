"""What people and programs read of a wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from orbit_release import output
from orbit_release.argocd.verdict import Failed, Look, Ready, Superseded, Verdict, Waiting, missing_images
from orbit_release.errors import OrbitReleaseError
from orbit_release.image import ImageReference
from orbit_release.text import code, markdown_table, printable

if TYPE_CHECKING:
    from orbit_release.flows.wait import Waited

_MARGIN = 12  # columns of the spinner and the time
_TITLES = {"ready": "Live", "superseded": "Superseded", "failed": "Not live", "timed out": "Not live in time"}


@contextmanager
def waiting(*, terminal: bool) -> Iterator[Callable[[str, str], None]]:
    """Give a callable that shows which application waits for what: on a terminal as one line, else a line each."""
    if not terminal or output.in_actions():
        yield lambda application, reason: output.say(f"{printable(application)} waits for {printable(reason)}")
        return
    from rich.console import Console  # noqa: PLC0415  (25 ms that only a terminal pays for)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as live:
        task = live.add_task("")

        def show(application: str, reason: str) -> None:
            text = f"{printable(application)} waits for {printable(reason)}"
            live.update(task, description=text[: live.console.width - _MARGIN])

        yield show


def show_wait(waited: Waited, fault: OrbitReleaseError | None, shape: str, file: str | None) -> None:
    """Print how a wait ended, and add it to the summary of a step; with the shape `told`, in words only."""
    _summarize(waited, fault.hint if fault else "", file)
    if shape == "json":
        click.echo(output.to_json(wait_document(waited)))
        return
    if shape == "table":
        rows = [(name, _version(image), _state(waited.look, image)) for name, image in _pairs(waited)]
        click.echo(output.table(("SERVICE", "TAG", "STATE"), rows))
    if isinstance(waited.verdict, Ready):
        there = f", by its descendant {_seen(waited)[:7]}" if _seen(waited) != waited.revision else ""
        output.say(f"{waited.application} runs {waited.revision[:7]}{there}, after {waited.seconds:.0f} s")
    elif isinstance(waited.verdict, Superseded):
        output.say(f"{waited.revision[:7]} is superseded by {waited.verdict.commit[:7]}")


def _seen(waited: Waited) -> str:
    return waited.look.observation.revision if waited.look else waited.revision


def _summarize(waited: Waited, hint: str, file: str | None) -> None:
    title = f"{_TITLES[_outcome(waited.verdict)]}: {code(waited.application)} at {code(waited.revision[:7])}"
    said = _message(waited.verdict)
    rows = [(code(name), code(_version(image)), _state(waited.look, image)) for name, image in _pairs(waited)]
    table = markdown_table(("Service", "Image", "In the cluster"), rows)
    output.summarize(file, "\n\n".join(filter(None, (f"### {title}", code(said), code(hint), table))) + "\n")


def summarize_unknown(error: OrbitReleaseError, file: str | None) -> None:
    """Add to the summary of a step why nobody can tell how a wait would end."""
    output.summarize(file, f"### Not known whether it is live\n\n{code(error.message)}\n\n")


def _message(verdict: Verdict) -> str:
    match verdict:
        case Failed(resource, message):
            return f"{resource}: {message}" if resource else message
        case Waiting(reason):
            return f"it still waits for {reason}"
        case Superseded(commit):
            return f"by {commit[:7]}"
        case _:
            return ""


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


def wait_document(waited: Waited) -> dict[str, Any]:
    """Return how a wait ended as plain data."""
    verdict, look = waited.verdict, waited.look
    seen, failed = look.observation if look else None, verdict if isinstance(verdict, Failed) else None
    operation = seen.operation if seen else None
    return {
        "application": waited.application,
        "revision": waited.revision,
        "outcome": _outcome(verdict),
        "message": failed.message if failed else verdict.reason if isinstance(verdict, Waiting) else None,
        "resource": str(failed.resource) if failed and failed.resource else None,
        "superseded_by": verdict.commit if isinstance(verdict, Superseded) else None,
        "rollback": waited.rollback or None,
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


def _outcome(verdict: Verdict) -> str:
    names = {Ready: "ready", Superseded: "superseded", Failed: "failed", Waiting: "timed out"}
    return names[type(verdict)]
