"""The statements of a Dockerfile, and which of them need BuildKit.

The grammar is BuildKit's (https://docs.docker.com/reference/dockerfile/): continuations with comments between
them, the `escape` directive, here-documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.+)")
_DEFAULT_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")
_COMMENT = re.compile(r"^[ \t]*#.*", re.MULTILINE)
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([^<\s\"']+)\2(?!\S)")
_WITH_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})

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
class Statement:
    """A statement by its first line (from 1), its name in capitals and what follows, joined over continuations.

    `heredocs` are the markers of its here-documents, as in `<<EOF`; `onbuild`: it runs in builds on top of this image.
    """

    line: int
    name: str
    rest: str
    heredocs: tuple[str, ...] = ()
    onbuild: bool = False

    def __str__(self) -> str:
        return " ".join([self.name, *self.rest.split()])


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What a Dockerfile says: its directives by lower-case name, its escape character, and its statements."""

    directives: dict[str, str]
    escape: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class BuildKitNeed:
    """A line (from 1) of a Dockerfile and what on it only BuildKit can do."""

    line: int
    what: str


def _directives(text: str) -> dict[str, str]:
    directives: dict[str, str] = {}
    for line in text.split("\n"):
        match = _DIRECTIVE.fullmatch(line.strip())
        if not match:
            break
        directives.setdefault(match[1].lower(), match[2])
    return directives


def read_dockerfile(text: str) -> Dockerfile:
    """Read a Dockerfile; what is no statement is left as it is, for the build to complain about."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    directives = _directives(text)
    escape = "`" if directives.get("escape") == "`" else "\\"
    return Dockerfile(directives, escape, tuple(_statements(_COMMENT.sub("", text), escape)))


def _statements(text: str, escape: str) -> Iterator[Statement]:
    mark = re.escape(escape)
    continued = rf"(?<!{mark}){mark}[ \t]*\n(?:[ \t]*\n)*"
    statement = re.compile(rf"(?=\S)(?:.*{continued})*.*")
    at = counted = 0
    line = 1
    while match := statement.search(text, at):
        line, counted = line + text.count("\n", counted, match.start()), match.start()
        name, rest = _split(re.sub(continued, "", match[0]))
        onbuild = name == "ONBUILD"
        while name == "ONBUILD" and rest:
            name, rest = _split(rest)
        markers, at = _heredocs(rest, text, match.end()) if name in _WITH_HEREDOCS else ((), match.end())
        yield Statement(line, name, rest, markers, onbuild)


def _split(statement: str) -> tuple[str, str]:
    name, *rest = statement.split(maxsplit=1) or [""]
    return name.upper(), rest[0].rstrip() if rest else ""


def _heredocs(rest: str, text: str, at: int) -> tuple[tuple[str, ...], int]:
    """Return the markers and the index behind all bodies; `1 <<2` has no end below and is no marker."""
    markers = []
    for marker in _HEREDOC.finditer(rest):
        tabs = "\t*" if marker[1] else ""
        end = re.compile(rf"^{tabs}{re.escape(marker[3])}$", re.MULTILINE).search(text, at)
        if end:
            markers.append(marker[0])
            at = end.end()
    return tuple(markers), at


def buildkit_needs(text: str) -> tuple[BuildKitNeed, ...]:
    """Return what in a Dockerfile the engine's own builder refuses or, worse, misunderstands."""
    dockerfile = read_dockerfile(text)
    frontend = dockerfile.directives.get("syntax", "docker/dockerfile")
    needs = [] if _DEFAULT_FRONTEND.fullmatch(frontend) else [BuildKitNeed(1, f"syntax={frontend}")]
    for statement in dockerfile.statements:
        matches = filter(None, (rule.match(str(statement)) for rule in _BUILDKIT_ONLY))
        needs += (BuildKitNeed(statement.line, f"{match[1]} {match[2]}") for match in matches)
        needs += (BuildKitNeed(statement.line, f"{statement.name} {marker}") for marker in statement.heredocs[:1])
    return tuple(needs)
