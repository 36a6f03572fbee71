"""The findings of `check`, as people, programs and GitHub Actions read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import click

from orbit_release import output
from orbit_release.check.finding import CheckRule, Finding, Note
from orbit_release.output import github_actions
from orbit_release.text import code, counted, printable

# By rule, then by what to do.
_Kinds: TypeAlias = Mapping[CheckRule, Mapping[str, Sequence[Finding]]]


def show_findings(findings: Sequence[Finding], notes: Sequence[Note], shape: str) -> None:
    if shape == "json":
        click.echo(output.to_json(_document(findings, notes)))
        return
    for text in map(_annotation, findings) if shape == "github" else _lines(_kinds(findings)):
        click.echo(text)
    for note in notes:
        output.say(f"{note.group}: {printable(note.message)}")
    output.say(_total(findings))


def findings_summary(findings: Sequence[Finding]) -> str:
    """Return the findings as Markdown."""
    return f"### Check: {_total(findings)}\n\n{''.join(_markdown(_kinds(findings)))}"


def _total(findings: Sequence[Finding]) -> str:
    files = len({finding.path for finding in findings})
    return f"{counted(len(findings), 'finding')} in {counted(files, 'file')}" if findings else "nothing found"


def _kinds(findings: Iterable[Finding]) -> _Kinds:
    """Put together what is said once; the kind that comes first in the files comes first."""
    kinds: dict[CheckRule, dict[str, list[Finding]]] = {}
    for finding in findings:
        kinds.setdefault(finding.rule, {}).setdefault(finding.fix, []).append(finding)
    return kinds


def _lines(kinds: _Kinds) -> Iterator[str]:
    for rule, fixes in kinds.items():
        yield f"{click.style(rule.name, fg='yellow')}: {rule.why}"
        for fix, findings in fixes.items():
            yield f"  fix: {output.foreign(fix)}"
            for finding in findings:
                place = click.style(f"{printable(finding.path)}:{finding.line}:", bold=True)
                yield f"    {place} {output.foreign(finding.message)}"


def _markdown(kinds: _Kinds) -> Iterator[str]:
    for rule, fixes in kinds.items():
        yield f"**{rule.name}**: {rule.why}\n\n"
        for fix, findings in fixes.items():
            places = (f"- {code(f'{finding.path}:{finding.line}')} {code(finding.message)}\n" for finding in findings)
            yield f"Fix: {code(fix)}\n\n{''.join(places)}\n"


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
