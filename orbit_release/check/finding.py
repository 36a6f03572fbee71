"""What `check` finds: each finding breaks a rule, at a line of a file, and says how it is mended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

# On its line, or alone on the line above: there is where a Dockerfile has room for comments.
_IGNORE = re.compile(rb"#\s*orbit-release:\s*ignore\[([\w\s,-]+)\]\s*(\S.*)")
_ALONE = re.compile(rb"\s*#")


class Group(StrEnum):
    """What a rule is about; `--rule` and `--ignore` take the name of a group as well."""

    CONFIGURATION = "configuration"
    INPUTS = "inputs"
    MANIFESTS = "manifests"
    WIRING = "wiring"
    WORKFLOW = "workflow"
    HISTORY = "history"

    def rule(self, name: str, why: str) -> CheckRule:
        return CheckRule(name, self, why)


@dataclass(frozen=True, slots=True)
class CheckRule:
    """A rule by its name, as in `# orbit-release: ignore[name] reason`; `why` says what goes wrong without it."""

    name: str
    group: Group
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a rule; `line` is 1-based, `path` relative to the repository's root, `fix` what to write instead."""

    rule: CheckRule
    path: str
    line: int
    message: str
    fix: str

    @property
    def names(self) -> set[str]:
        """What a person may call it: its rule and its group."""
        return {self.rule.name, self.rule.group.value}


@dataclass(frozen=True, slots=True)
class Note:
    """What was not checked, or deserves to be known, and is no breach."""

    group: Group
    message: str

    @property
    def names(self) -> set[str]:
        return {self.group.value}


def unique_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings in order, by place; what is found twice, in a base that two overlays include, is told once."""
    unique = {(each.path, each.line, each.rule.name, each.message): each for each in findings}
    return [unique[key] for key in sorted(unique)]


def without_ignored(findings: Iterable[Finding], read: Callable[[str], bytes]) -> Iterator[Finding]:
    """Yield the findings that no comment lets pass; a comment without a reason does not."""
    lines_of = cache(lambda path: [b"", *read(path).split(b"\n"), b""])  # each at its number, from 1
    for finding in findings:
        above, own = lines_of(finding.path)[finding.line - 1 : finding.line + 1]
        comments = map(_IGNORE.search, [own, above] if _ALONE.match(above) else [own])
        ignored = {name.strip() for comment in comments if comment for name in comment[1].decode().split(",")}
        if finding.names.isdisjoint(ignored):
            yield finding
