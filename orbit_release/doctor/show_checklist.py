"""The checklist of `doctor`, as people and programs read it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from orbit_release import output
from orbit_release.doctor.checklist import ChecklistLine, LineState

# A mark, the mark where the terminal cannot show that, and a colour.
_LOOKS = {
    LineState.OK: ("✓", "+", "green"),
    LineState.FAILED: ("✗", "x", "red"),
    LineState.UNCHECKED: ("-", "-", "yellow"),
}


def show_checklist(lines: Sequence[ChecklistLine], shape: str) -> None:
    """Print the lines, each with a mark, its state in words and, below it, what to do."""
    if shape == "json":
        click.echo(output.to_json({"lines": [_document(line) for line in lines]}))
        return
    place = 0 if _can_show("".join(look[0] for look in _LOOKS.values())) else 1
    states = [f"{_LOOKS[line.state][place]} {line.state}" for line in lines]
    rows = [(state, str(line), line.what) for state, line in zip(states, lines, strict=True)]
    head, *table = output.table(("STATE", "CHECK", "WHAT"), rows).split("\n")
    click.echo(head)
    for line, state, row in zip(lines, states, table, strict=True):
        click.echo(click.style(state, fg=_LOOKS[line.state][2]) + row.removeprefix(state))
        if line.fix:
            click.echo(f"{' ' * head.index('WHAT')}fix: {output.foreign(line.fix)}")


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _document(line: ChecklistLine) -> dict[str, Any]:
    state, fix = str(line.state), line.fix or None
    return {"group": line.group, "name": line.name, "state": state, "what": line.what, "fix": fix}
