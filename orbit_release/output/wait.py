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
    from orbit_release.flows.wait import WaitResult

_MARGIN = 12  # columns of the spinner and the time
# What programs and people call the ends of a wait.
_OUTCOMES: dict[type[Verdict], tuple[str, str]] = {
    Ready: ("ready", "Live"),
    Superseded: ("superseded", "Superseded"),
    Failed: ("failed", "Not live"),
    Waiting: ("timed out", "Not live in time"),
}


@contextmanager
def waiting(*, terminal: bool) -> Iterator[Callable[[str, str], None]]:
    """Yield what shows which application waits for what: on a terminal in one line, else in a line each."""
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


def show_wait(result: WaitResult, fault: OrbitReleaseError | None, shape: str, file: str | None) -> None:
    """Print how a wait ended, and add it to the summary of a step; with the shape `told`, in words only."""
    _summarize(result, fault.hint if fault else "", file)
    if shape == "json":
        click.echo(output.to_json(wait_document(result)))
        return
    if shape == "table":
        click.echo(output.table(("SERVICE", "TAG", "STATE"), _rows(result)))
    if isinstance(result.verdict, Ready):
        seen = result.look.observation.revision if result.look else result.revision
        there = f", by its descendant {seen[:7]}" if seen != result.revision else ""
        output.say(f"{result.application} runs {result.revision[:7]}{there}, after {result.seconds:.0f} s")
    elif isinstance(result.verdict, Superseded):
        output.say(f"{result.revision[:7]} is superseded by {result.verdict.commit[:7]}")


def _summarize(result: WaitResult, hint: str, file: str | None) -> None:
    _, title = _OUTCOMES[type(result.verdict)]
    rows = [(code(name), code(tag), state) for name, tag, state in _rows(result)]
    table = markdown_table(("Service", "Image", "In the cluster"), rows)
    heading = f"### {title}: {code(result.application)} at {code(result.revision[:7])}"
    parts = (heading, code(_message(result.verdict)), code(hint), table)
    output.summarize(file, "\n\n".join(filter(None, parts)) + "\n")


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


def _rows(result: WaitResult) -> Iterator[tuple[str, str, str]]:
    """Yield service, tag and state of each reference that must run, and a row of its own for a service without any."""
    for name, images in result.images.items():
        yield from ((name, image.version, _state(result.look, image)) for image in images)
        if not images:
            yield name, "-", "needs no pod"


def _state(look: Look | None, image: ImageReference) -> str:
    if look is None or look.images == ():
        return "unknown"
    return "missing" if image in missing_images(look) else "running"


def wait_document(result: WaitResult) -> dict[str, Any]:
    verdict, look = result.verdict, result.look
    seen, failed = look.observation if look else None, verdict if isinstance(verdict, Failed) else None
    operation = seen.operation if seen else None
    return {
        "application": result.application,
        "revision": result.revision,
        "outcome": _OUTCOMES[type(verdict)][0],
        "message": failed.message if failed else verdict.reason if isinstance(verdict, Waiting) else None,
        "resource": str(failed.resource) if failed and failed.resource else None,
        "superseded_by": verdict.commit if isinstance(verdict, Superseded) else None,
        "rollback": result.rollback or None,
        "seconds": int(result.seconds),
        "seen": {
            "revision": seen.revision or None,
            "sync": seen.sync or None,
            "health": seen.health or None,
            "operation": (operation.phase or None) if operation else None,
        }
        if seen
        else None,
        "images": [
            {"service": name, "image": str(image), "state": _state(look, image)}
            for name, images in result.images.items()
            for image in images
        ],
    }
