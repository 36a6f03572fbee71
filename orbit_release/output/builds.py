"""Builds: how they go on, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from orbit_release.output.console import in_actions, say, summarize, table, to_json
from orbit_release.output.github_actions import group
from orbit_release.text import code, markdown_table, printable

if TYPE_CHECKING:
    from orbit_release.flows.build import BuildOutcome

_MARGIN = 12  # columns of the spinner and the time
Show = Callable[[str, str | None], None]


def show_builds(results: Sequence[BuildOutcome], shape: str) -> None:
    if not results:
        say("nothing to do: every image that the plan asks for is built")
    if shape == "json":
        click.echo(to_json({"services": [_document(result) for result in results]}))
    elif results:
        rows = [
            (result.plan.service.name, result.status, str(result.plan.tag), str(result.digest or "-"))
            for result in results
        ]
        click.echo(table(("SERVICE", "STATUS", "TAG", "DIGEST"), rows))


def _document(result: BuildOutcome) -> dict[str, Any]:
    return {
        "name": result.plan.service.name,
        "status": result.status,
        "image": str(result.plan.image),
        "commit": result.plan.target,
        "digest": str(result.digest) if result.digest else None,
        "latest": result.latest,
        "error": result.error.message if result.error else None,
    }


def summarize_builds(results: Sequence[BuildOutcome], file: str | None) -> None:
    rows = [
        (code(result.plan.service.name), result.status, code(str(result.plan.image)), code(str(result.digest or "")))
        for result in results
    ]
    table = markdown_table(("Service", "Status", "Image", "Digest"), rows)
    summarize(file, f"### Builds\n\n{table}\n" if rows else "### Nothing to build\n\n")


def build_progress(*, terminal: bool) -> AbstractContextManager[Show]:
    """Give a callable that shows a service's newest line; None says that there will be no more.

    On a terminal each service has one live line, in Actions a group in the log; elsewhere lines carry the name.
    """
    if in_actions():
        return _grouped()
    return _live() if terminal else nullcontext(_say_line)


def _say_line(service: str, line: str | None) -> None:
    if line is not None:
        say(f"{service} | {printable(line.expandtabs(4))}")


@contextmanager
def _grouped() -> Iterator[Show]:
    from threading import Lock  # noqa: PLC0415

    logs = defaultdict[str, list[str]](list)
    lock = Lock()  # builds run side by side, and a group must not begin within another

    def flush(service: str) -> None:
        for line in group(service, logs.pop(service, ())):
            click.echo(line, err=True)

    def show(service: str, line: str | None) -> None:
        with lock:
            if line is None:
                flush(service)
            else:
                logs[service].append(printable(line.expandtabs(4)))

    try:
        yield show
    finally:  # a cancelled step still tells how far it came
        for service in tuple(logs):
            flush(service)


@contextmanager
def _live() -> Iterator[Show]:
    from rich.console import Console  # noqa: PLC0415  (25 ms that only builds pay for)
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as live:
        tasks: dict[str, Any] = {}

        def show(service: str, line: str | None) -> None:
            task = tasks[service] if service in tasks else tasks.setdefault(service, live.add_task(service))
            if line is None:
                live.stop_task(task)
            else:
                live.update(task, description=f"{service}  {printable(line)}"[: live.console.width - _MARGIN])

        yield show
