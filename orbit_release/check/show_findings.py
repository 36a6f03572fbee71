"""The findings of `check`, as people, programs and GitHub Actions read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from orbit_release import output
from orbit_release.check.finding import Finding, Note
from orbit_release.output import github_actions
from orbit_release.text import counted, printable


def show_findings(findings: Sequence[Finding], notes: Sequence[Note], shape: str) -> None:
    if shape == "json":
        click.echo(output.to_json(_document(findings, notes)))
        return
    for finding in findings:
        click.echo(_annotation(finding) if shape == "github" else _lines(finding))
    for note in notes:
        output.say(f"{note.group}: {printable(note.message)}")
    files = len({finding.path for finding in findings})
    output.say(f"{counted(len(findings), 'finding')} in {counted(files, 'file')}" if findings else "nothing found")


def _lines(finding: Finding) -> str:
    place = click.style(f"{printable(finding.path)}:{finding.line}:", bold=True)
    what = f"{click.style(finding.rule.name, fg='yellow')}: {output.foreign(finding.message)}"
    return f"{place} {what}\n    why: {finding.rule.why}\n    fix: {output.foreign(finding.fix)}"


def _annotation(finding: Finding) -> str:
    text = f"{printable(finding.message)}\nwhy: {finding.rule.why}\nfix: {printable(finding.fix)}"
    return github_actions.command("error", text, file=finding.path, line=str(finding.line), title=finding.rule.name)


def _document(findings: Iterable[Finding], notes: Iterable[Note]) -> dict[str, Any]:
    return {
        "findings": [
            {
                "rule": finding.rule.name,
                "group": finding.rule.group.value,
                "path": finding.path,
                "line": finding.line,
                "message": finding.message,
                "why": finding.rule.why,
                "fix": finding.fix,
            }
            for finding in findings
        ],
        "notes": [{"group": note.group.value, "message": note.message} for note in notes],
    }
