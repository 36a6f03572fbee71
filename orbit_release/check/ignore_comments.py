"""Comments that let a finding pass: `# orbit-release: ignore[rule] reason` on its line, or alone on the line above."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from orbit_release.check.finding import Finding

_IGNORE = re.compile(rb"#\s*orbit-release:\s*ignore\[([\w\s,-]+)\]\s*(\S.*)")
_ALONE = re.compile(rb"\s*#")


def without_ignored(findings: Iterable[Finding], read: Callable[[str], bytes]) -> Iterator[Finding]:
    """Yield the findings that no comment lets pass; a comment without a reason does not."""
    lines = cache(lambda path: read(path).split(b"\n"))
    for finding in findings:
        if finding.names.isdisjoint(_ignored_names(lines(finding.path), finding.line)):
            yield finding


def _ignored_names(lines: list[bytes], line: int) -> set[str]:
    """Return the rules and groups that are ignored at a line; a Dockerfile has room for comments only above."""
    above = lines[line - 2] if line >= 2 else b""  # noqa: PLR2004  (the line before, counted from 1)
    own = lines[line - 1] if line <= len(lines) else b""
    comments = map(_IGNORE.search, [own, above] if _ALONE.match(above) else [own])
    return {name.strip() for comment in comments if comment for name in comment[1].decode().split(",")}
