"""Dockerfiles and their ignore files, as far as a build must know them: what needs BuildKit, what stays out.

The grammar is BuildKit's (https://docs.docker.com/reference/dockerfile/): continuations with comments between
them, the `escape` directive, here-documents. Ignore patterns are those of github.com/moby/patternmatcher.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from orbit_release.errors import InvalidError

_DIRECTIVE = re.compile(r"#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.+)")
_DEFAULT_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")
_COMMENT = re.compile(r"^[ \t]*#.*", re.MULTILINE)
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([^<\s\"']+)\2(?!\S)")

# What the engine's own builder refuses, or silently takes for something else, in statements with single spaces.
_BUILDKIT_ONLY = tuple(
    re.compile(rule)
    for rule in (
        r"(RUN) (--[\w-]+)",
        r"(FROM)(?: --\S+)*? (--(?!platform=)[\w-]+|--platform=\S*\$\S*)",
        r"(COPY)(?: --\S+)*? (--(?!from=|chown=)[\w-]+)",
        r"(ADD)(?: --\S+)*? (--(?!chown=)[\w-]+)",
        r"(HEALTHCHECK)(?: --\S+)*? (--(?!interval=|timeout=|start-period=|retries=)[\w-]+)",
        r"(ADD) .*?(?<![^ \"'[,])((?:git@|git://|ssh://)[^ \"',]+|https?://[^ #?]+\.git(?:[#?][^ \"',]*)?)(?![^ \"',])",
        r"(ARG) (?:.* )?((?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT))(?!\S)",
    )
)


@dataclass(frozen=True, slots=True)
class BuildKitNeed:
    """A line (from 1) of a Dockerfile and what on it only BuildKit can do."""

    line: int
    what: str


def _directives(text: str) -> dict[str, str]:
    """Return the directives above everything else, by lower-case name."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        match = _DIRECTIVE.fullmatch(line.strip())
        if not match:
            break
        found.setdefault(match[1].lower(), match[2])
    return found


def _statements(text: str, escape: str) -> Iterator[tuple[int, str, str]]:
    """Yield each statement's line, its words with the name in capitals, and its first here-document's marker."""
    mark = re.escape(escape)
    continued = rf"(?<!{mark}){mark}[ \t]*\n(?:[ \t]*\n)*"
    statement = re.compile(rf"(?=\S)(?:.*{continued})*.*")
    at = 0
    while match := statement.search(text, at):
        name, *words = re.sub(continued, "", match[0]).split() or [""]
        while name.upper() == "ONBUILD" and words:
            name, *words = words
        joined = " ".join([name.upper(), *words])
        marker, at = _heredoc(joined, text, match.end())
        yield text.count("\n", 0, match.start()) + 1, joined, marker


def _heredoc(statement: str, text: str, at: int) -> tuple[str, int]:
    """Return the first marker and the index behind all bodies; `1 <<2` has no end below and is no marker."""
    first = ""
    for marker in _HEREDOC.finditer(statement) if statement.startswith(("RUN ", "COPY ", "ADD ")) else ():
        tabs = "\t*" if marker[1] else ""
        end = re.compile(rf"^{tabs}{re.escape(marker[3])}$", re.MULTILINE).search(text, at)
        if end:
            first, at = first or marker[0], end.end()
    return first, at


def buildkit_needs(text: str) -> tuple[BuildKitNeed, ...]:
    """Return what in a Dockerfile the engine's own builder refuses or, worse, misunderstands."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    directives = _directives(text)
    frontend = directives.get("syntax", "docker/dockerfile")
    found = [] if _DEFAULT_FRONTEND.fullmatch(frontend) else [BuildKitNeed(1, f"syntax={frontend}")]
    escape = "`" if directives.get("escape") == "`" else "\\"
    for line, statement, marker in _statements(_COMMENT.sub("", text), escape):
        matches = filter(None, (rule.match(statement) for rule in _BUILDKIT_ONLY))
        found += (BuildKitNeed(line, f"{match[1]} {match[2]}") for match in matches)
        if marker:
            found.append(BuildKitNeed(line, f"{statement.split()[0]} {marker}"))
    return tuple(found)


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
            translated += part
        else:
            translated += {"*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part[-1])
    return translated


def _compiled(glob: str) -> re.Pattern[str]:
    try:
        return re.compile(_regex(glob), re.DOTALL)
    except re.error as error:
        raise InvalidError(f"ignore file: invalid pattern {glob!r}", f"{error.msg}.".capitalize()) from error


def ignore_rules(text: str) -> tuple[IgnoreRule, ...]:
    """Read an ignore file; comments begin in the first column, slashes at either end mean nothing."""
    rules = []
    for line in text.removeprefix("\ufeff").split("\n"):
        glob = "" if line.startswith("#") else line.strip()
        keep, glob = glob.startswith("!"), glob.removeprefix("!").strip()
        clean = posixpath.normpath(glob).lstrip("/") if glob else "."
        if clean not in {".", ""}:
            rules.append(IgnoreRule(_compiled(clean), keep))
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
