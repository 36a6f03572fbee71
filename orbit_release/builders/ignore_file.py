"""Ignore files of a build context; the patterns are those of github.com/moby/patternmatcher."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from orbit_release.errors import InvalidError


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One line of an ignore file; `keep` where it began with an exclamation mark."""

    pattern: re.Pattern[str]
    keep: bool


def _regex(glob: str) -> str:
    """Translate a pattern: `**` crosses slashes, `*` and `?` do not, `[…]` is a class, a backslash quotes."""
    translated = ""
    for match in re.finditer(r"\*\*/?|\*|\?|\[\^?[^\]]+\]|\\.|.", glob, re.DOTALL):
        part = match[0]
        if part.startswith("**"):
            translated += ".*" if match.end() == len(glob) else "(?:.*/)?"
        elif part[0] == "[" and len(part) > 1:
            translated += re.sub(r"(?<!^)([\[&~|])", r"\\\1", part)  # Python warns of what may become an operator
        else:
            translated += {"*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part[-1])
    return translated


def compiled_pattern(glob: str, place: str) -> re.Pattern[str]:
    """Return what matches whole paths as Go's filepath.Match, and `**` across folders; InvalidError names `place`."""
    try:
        return re.compile(_regex(glob), re.DOTALL)
    except re.error as error:
        raise InvalidError(f"{place}: invalid pattern {glob!r}", f"{error.msg}.".capitalize()) from error


def ignore_rules(text: str) -> tuple[IgnoreRule, ...]:
    """Read an ignore file; comments begin in the first column, slashes at either end mean nothing."""
    rules = []
    for line in text.removeprefix("\ufeff").split("\n"):
        glob = "" if line.startswith("#") else line.strip()
        keep, glob = glob.startswith("!"), glob.removeprefix("!").strip()
        clean = posixpath.normpath(glob).lstrip("/") if glob else "."
        if clean not in {".", ""}:
            rules.append(IgnoreRule(compiled_pattern(clean, "ignore file"), keep))
    return tuple(rules)


def is_ignored(rules: tuple[IgnoreRule, ...], path: str) -> bool:
    """Whether the last rule that matches the path, or a folder above it, leaves it out."""
    parts = path.split("/")
    names = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
    ignored = False
    for rule in rules:
        if ignored == rule.keep and any(rule.pattern.fullmatch(name) for name in names):
            ignored = not rule.keep
    return ignored
