"""The checklist of `doctor`, as people and programs read it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

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
    if shape == "json":
        click.echo(output.to_json({"lines": [asdict(line) | {"fix": line.fix or None} for line in lines]}))
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
