"""Dockerfiles and their ignore files, as far as a build must know them: what needs BuildKit, what stays out.

The grammar is BuildKit's (https://docs.docker.com/reference/dockerfile/): continuations with comments between
them, the `escape` directive, here-documents. Ignore patterns are those of github.com/moby/patternmatcher.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orbit_release.errors import InvalidError

_DIRECTIVE = re.compile(r"#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.+)")
_DEFAULT_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_GIT_SOURCE = re.compile(r"(?:git@|git://|ssh://).*|https?://[^#?]+\.git(?:[#?].*)?")
_PLATFORM_ARGUMENT = re.compile(r"(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)")

# What the engine's own builder knows; every other flag came with BuildKit.
_CLASSIC_FLAGS: Mapping[str, tuple[str, ...]] = {
    "FROM": ("--platform",),
    "COPY": ("--from", "--chown"),
    "ADD": ("--chown",),
    "HEALTHCHECK": ("--interval", "--timeout", "--start-period", "--retries"),
}


@dataclass(frozen=True, slots=True)
class BuildKitNeed:
    """A line (from 1) of a Dockerfile and what on it only BuildKit can do."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class _Instruction:
    line: int
    name: str
    words: tuple[str, ...]
    heredoc: str = ""  # the marker as written, where its end is there too

    @property
    def flags(self) -> tuple[str, ...]:
        ends = (i for i, word in enumerate(self.words) if not word.startswith("--"))
        return self.words[: next(ends, len(self.words))]


def _directives(lines: list[str]) -> dict[str, str]:
    """Return the directives above everything else, by lower-case name."""
    found: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.fullmatch(line.strip())
        if not match:
            break
        found.setdefault(match[1].lower(), match[2])
    return found


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _statement(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """Join the lines that the escape character continues; return the text and the index behind it."""
    continued = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")
    text = ""
    while at < len(lines):
        line, at = lines[at], at + 1
        # Comments and empty lines inside a statement do not end it.
        if _is_comment(line) or (text and not line.strip()):
            continue
        text += continued.sub("", line)
        if not continued.search(line):
            break
    return text, at


def _words(text: str, escape: str) -> tuple[str, ...]:
    """Split at white space outside quotes; the quotes stay, so that a quoted `<<EOF` is seen to be text."""
    mark = re.escape(escape)
    part = rf"""[^\s"'{mark}]|{mark}.|"(?:{mark}.|[^"{mark}])*"|'[^']*'|["'{mark}]"""
    return tuple(re.findall(rf"(?:{part})+", text))


def _heredoc(words: tuple[str, ...], lines: list[str], at: int) -> tuple[str, int]:
    """Return the first marker and the index behind all bodies; `1 <<2` has no end below and is no marker."""
    first = ""
    for word in words:
        match = _HEREDOC.fullmatch(word)
        strip, end = (match[1], re.sub(r"[\"'\\]", "", match[2])) if match else ("", "")
        body = [line.lstrip("\t") if strip else line for line in lines[at:]]
        if match and end in body:
            first, at = first or word, at + body.index(end) + 1
    return first, at


def _instructions(lines: list[str], escape: str) -> Iterator[_Instruction]:
    at = 0
    while at < len(lines):
        first = at
        if not lines[at].strip() or _is_comment(lines[at]):
            at += 1
            continue
        text, at = _statement(lines, at, escape)
        name, *words = _words(text, escape) or ("",)
        while name.upper() == "ONBUILD" and words:
            name, *words = words
        heredoc = ""
        if name.upper() in {"RUN", "COPY", "ADD"}:
            heredoc, at = _heredoc(tuple(words), lines, at)
        yield _Instruction(first + 1, name.upper(), tuple(words), heredoc)


def _needs(instruction: _Instruction) -> Iterator[str]:
    name, words = instruction.name, instruction.words
    flags = [flag.partition("=") for flag in instruction.flags]
    known = _CLASSIC_FLAGS.get(name, ())
    yield from (f"{name} {flag}" for flag, _, _ in flags if flag not in known)
    if instruction.heredoc:
        yield f"{name} {instruction.heredoc}"
    if name == "FROM":
        yield from (f"FROM {flag}={value}" for flag, _, value in flags if "$" in value)
    if name == "ADD":
        yield from (f"ADD {word}" for word in words if _GIT_SOURCE.fullmatch(word.strip("\"',[]")))
    if name == "ARG":
        # Only BuildKit fills them in; elsewhere they are silently empty.
        yield from (f"ARG {word}" for word in words if _PLATFORM_ARGUMENT.fullmatch(word))


def buildkit_needs(text: str) -> tuple[BuildKitNeed, ...]:
    """Return what in a Dockerfile the engine's own builder refuses or, worse, misunderstands."""
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    directives = _directives(lines)
    escape = "`" if directives.get("escape") == "`" else "\\"
    frontend = directives.get("syntax", "docker/dockerfile")
    found = [] if _DEFAULT_FRONTEND.fullmatch(frontend) else [BuildKitNeed(1, f"syntax={frontend}")]
    for instruction in _instructions(lines, escape):
        found += (BuildKitNeed(instruction.line, what) for what in _needs(instruction))
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
