"""What people, programs and GitHub Actions read of a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from orbit_release import output
from orbit_release.check.finding import Finding, Note
from orbit_release.output import github_actions as workflow
from orbit_release.text import printable


def show_findings(findings: Sequence[Finding], notes: Sequence[Note], shape: str) -> None:
    """Print findings, and what was not checked."""
    if shape == "json":
        click.echo(output.to_json(_document(findings, notes)))
        return
    for one in findings:
        click.echo(_annotation(one) if shape == "github" else _told(one))
    for note in notes:
        output.say(f"{note.group}: {printable(note.message)}")
    output.say(_count(findings))


def _told(one: Finding) -> str:
    place = click.style(f"{printable(one.path)}:{one.line}:", bold=True)
    rule = click.style(one.rule.name, fg="yellow")
    lines = [f"{place} {rule}: {output.foreign(one.message)}", f"    why: {one.rule.why}"]
    return "\n".join((*lines, f"    fix: {output.foreign(one.fix)}"))


def _annotation(one: Finding) -> str:
    text = f"{printable(one.message)}\nwhy: {one.rule.why}\nfix: {printable(one.fix)}"
    return workflow.command("error", text, file=one.path, line=str(one.line), title=one.rule.name)


def _count(findings: Sequence[Finding]) -> str:
    if not findings:
        return "nothing found"
    files = len({one.path for one in findings})
    return f"{len(findings)} finding{'s'[: len(findings) > 1]} in {files} file{'s'[: files > 1]}"


def _document(findings: Iterable[Finding], notes: Iterable[Note]) -> dict[str, Any]:
    return {
        "findings": [
            {
                "rule": one.rule.name,
                "group": one.rule.group.value,
                "path": one.path,
                "line": one.line,
                "message": one.message,
                "why": one.rule.why,
                "fix": one.fix,
            }
            for one in findings
        ],
        "notes": [{"group": note.group.value, "message": note.message} for note in notes],
    }
