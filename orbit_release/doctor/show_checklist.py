"""What people and programs read of doctor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from orbit_release import output
from orbit_release.doctor.checklist import Line, State

_MARKS = {State.OK: "✓", State.FAILED: "✗", State.UNCHECKED: "-"}
_PLAIN_MARKS = {State.OK: "+", State.FAILED: "x", State.UNCHECKED: "-"}
_COLOURS = {State.OK: "green", State.FAILED: "red", State.UNCHECKED: "yellow"}


def show_checklist(lines: Sequence[Line], shape: str) -> None:
    """Print the lines, each with a mark, its state in words and, below it, what to do."""
    if shape == "json":
        click.echo(output.to_json({"lines": [_document(line) for line in lines]}))
        return
    marks = _MARKS if _can_show("".join(_MARKS.values())) else _PLAIN_MARKS
    rows = [(f"{marks[line.state]} {line.state}", str(line), line.what) for line in lines]
    head, *table = output.table(("STATE", "CHECK", "WHAT"), rows).split("\n")
    indent = " " * head.index("WHAT")
    click.echo(head)
    for line, row in zip(lines, table, strict=True):
        word = f"{marks[line.state]} {line.state}"
        click.echo(click.style(word, fg=_COLOURS[line.state]) + row.removeprefix(word))
        if line.fix:
            click.echo(f"{indent}fix: {output.foreign(line.fix)}")


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _document(line: Line) -> dict[str, Any]:
    return {
        "group": line.group,
        "name": line.name,
        "state": str(line.state),
        "what": line.what,
        "fix": line.fix or None,
    }
