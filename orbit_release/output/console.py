"""Lines for people, tables and JSON, in a form that a terminal or the log of GitHub Actions only shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from orbit_release.errors import ConfigurationError, OrbitReleaseError, UnavailableError
from orbit_release.output import github_actions as actions
from orbit_release.text import printable


def in_actions() -> bool:
    """Whether a runner of GitHub Actions reads along; nothing is printed for it anywhere else."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get("orbit_release.actions"))


def say(line: str) -> None:
    """Tell the person one line of narrative; where nobody listens any more, the work goes on."""
    with suppress(OSError):
        click.echo(actions.harmless(line) if in_actions() else line, err=True)


def warn(message: str) -> None:
    if in_actions():
        with suppress(OSError):
            click.echo(actions.warning_line(message), err=True)
    else:
        say(f"{click.style('warning:', fg='yellow')} {printable(message)}")


def foreign(text: str) -> str:
    """Return foreign text as part of a line that is printed."""
    line = printable(text)
    return actions.harmless(line) if in_actions() else line


def mask(secret: str, username: str) -> None:
    """Have the runner of GitHub Actions blot out a secret wherever it would appear in the log."""
    for line in actions.masks(secret, username):
        click.echo(line, err=True)


def summarize(file: str | None, text: str) -> None:
    """Add Markdown to the summary of a step, if a runner named a file for it; nothing fails for want of it."""
    if file and in_actions():
        try:
            actions.append(file, text, "GITHUB_STEP_SUMMARY")
        except UnavailableError as error:
            warn(f"{error.message}: {error.hint}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows in aligned columns; the last column may be as long as it likes."""
    lines = [tuple(head), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(map(actions.harmless, text.split("\n"))) if in_actions() else text


def to_json(document: Mapping[str, Any]) -> str:
    text = dumps({"version": 1, **document}, indent=2)
    return text.replace("##[", "##\\u005b") if in_actions() else text  # the same JSON, and no command


def dumps(value: object, *, indent: int | None = None) -> str:
    import json  # noqa: PLC0415  (2 ms that tables and names do not pay for)

    return json.dumps(value, indent=indent, separators=(",", ": " if indent else ":"))


def show_error(error: OrbitReleaseError) -> None:
    if in_actions():
        # A wrong configuration ends a command before there is any data: standard output is free.
        is_first = isinstance(error, ConfigurationError)
        for annotation in actions.error_lines(error):
            click.echo(annotation, err=not is_first)
        if not is_first:
            return
    lines = [printable(line) for line in error.message.splitlines()] or [""]
    say(f"{click.style('error:', fg='red', bold=True)} " + "\n".join(lines))
    if error.hint:
        say(f"{click.style('hint:', fg='cyan')} {printable(error.hint)}")


def say_traceback(error: BaseException) -> None:
    """Tell where an error comes from; what it quotes may be foreign text."""
    import traceback  # noqa: PLC0415

    for line in "".join(traceback.format_exception(error)).splitlines():
        say(printable(line))
