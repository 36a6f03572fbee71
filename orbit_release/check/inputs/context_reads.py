"""What a Dockerfile reads of its build context: the sources of COPY, ADD and bind mounts, in all stages.

https://docs.docker.com/reference/dockerfile/. Left out: what comes from another stage, image or named context, from
an address, or from a here-document, and what ONBUILD puts off until another build.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import cache

from orbit_release.builders.dockerfile import Dockerfile, Statement, read_dockerfile

_ADDRESS = re.compile(r"(?:https?|git|ssh)://|[\w.-]+@[\w.-]+:")
_FLAGS = re.compile(r"((?:--\S*\s+)*)(.*)", re.DOTALL)
_WILDCARD = re.compile(r"[*?\[]")
# `${a:-${b}}`: what stands behind the operator may name variables itself.
_VARIABLE = (
    r"\$(?P<name>[A-Za-z_]\w*)"
    r"|\$\{(?P<braced>\w+)(?:(?P<operator>:?[-+])(?P<word>(?:\$\{(?:[^{}]|\$\{[^{}]*\})*\}|[^{}])*))?\}"
    r"|(?P<other>\$\{[^}]*\}?)"
    r"|(?P<literal>.)"
)


@dataclass(frozen=True, slots=True)
class ContextRead:
    """A source, at the line (from 1) of its statement; `path` is relative to the context, whose root is `.`."""

    line: int
    source: str
    path: str
    parents: bool = False
    excludes: tuple[str, ...] = ()
    mounted: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether it names files by wildcards, which may match none; a mount's source is always a name."""
        return not self.mounted and bool(_WILDCARD.search(self.path))


@dataclass(frozen=True, slots=True)
class UnknownRead:
    """A source that depends on a variable without a value in the Dockerfile."""

    line: int
    source: str


def context_reads(text: str, build_args: Mapping[str, str]) -> Iterator[ContextRead | UnknownRead]:
    """Yield every source in order; `build_args` go before the defaults of ARG."""
    dockerfile = read_dockerfile(text)
    variables = _Variables(dockerfile, build_args)
    for statement in dockerfile.statements:
        if not statement.onbuild:
            variables.see(statement)
            yield from _reads(statement, variables)


class _Variables:
    """The values of ARG and ENV where a statement stands; a stage starts with those of the stage it builds on."""

    def __init__(self, dockerfile: Dockerfile, build_args: Mapping[str, str]) -> None:
        self.escape = dockerfile.escape
        self._build_args = build_args
        self._before_stages: dict[str, str] = {}
        self._stages: dict[str, ChainMap[str, str]] = {}
        self._now: ChainMap[str, str] = ChainMap({}, self._before_stages)  # ENV goes before ARG

    def expand(self, text: str) -> str | None:
        return expand(text, self._now, self.escape)

    def see(self, statement: Statement) -> None:
        if statement.name == "FROM":
            self._begin_stage(_split_flags(statement.rest)[1].split())
        elif statement.name == "ARG":
            for word in split_words(statement.rest, self.escape):
                name, default, value = word.partition("=")
                given = self._build_args.get(name)
                if given is None:
                    given = self.expand(value) if default else self._before_stages.get(name)
                _assign(self._now.maps[1], name, given)
        elif statement.name == "ENV":
            self._set_environment(statement.rest)

    def _begin_stage(self, words: list[str]) -> None:
        base = expand(words[0], self._before_stages, self.escape) if words else None
        inherited = self._stages.get((base or "").lower(), ChainMap({}, {}))
        self._now = ChainMap(*map(dict, inherited.maps))
        if len(words) > 1:  # FROM base AS name
            self._stages[words[-1].lower()] = self._now

    def _set_environment(self, rest: str) -> None:
        words = split_words(rest, self.escape)
        if words and "=" not in words[0]:
            words = ["=".join(rest.split(maxsplit=1))]
        values = {name: self.expand(value) for name, _, value in (word.partition("=") for word in words)}
        for name, value in values.items():
            _assign(self._now.maps[0], name, value)


def _assign(values: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value


def _split_flags(rest: str) -> tuple[list[str], str]:
    match = _FLAGS.fullmatch(rest)
    return (match[1].split(), match[2]) if match else ([], rest)


def _reads(statement: Statement, variables: _Variables) -> Iterator[ContextRead | UnknownRead]:
    written, operands = _split_flags(statement.rest)
    flags = [flag.strip("\"'") for flag in written]
    if statement.name == "RUN":
        reads = [ContextRead(statement.line, source, source, mounted=True) for source in _mounts(flags)]
    elif statement.name in {"COPY", "ADD"} and not any(flag.startswith("--from") for flag in flags):
        patterns = (flag.removeprefix("--exclude=") for flag in flags if flag.startswith("--exclude="))
        excludes = tuple(filter(None, map(variables.expand, patterns)))
        parents = "--parents" in flags or "--parents=true" in flags
        words = _json_words(operands) or [word for word in operands.split() if word not in statement.heredocs]
        sources = (word for word in words[:-1] if not _ADDRESS.match(word.strip("\"'")))
        reads = [ContextRead(statement.line, source, source, parents, excludes) for source in sources]
    else:
        return
    for read in reads:
        path = variables.expand(read.source)
        if path is None:
            yield UnknownRead(read.line, read.source)
        elif read.mounted or not _ADDRESS.match(path):
            yield replace(read, path=_clean(path, variables))


def _json_words(text: str) -> list[str] | None:
    try:
        words = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _mounts(flags: list[str]) -> Iterator[str]:
    for flag in flags:
        name, _, options = flag.partition("=")
        fields = dict(part.partition("=")[::2] for part in options.strip("\"'").split(","))
        if name == "--mount" and fields.get("type", "bind") == "bind" and "from" not in fields:
            yield fields.get("source", fields.get("src", "."))


def _clean(path: str, variables: _Variables) -> str:
    """Return a path below the context: `..` ends at its root, and slashes at either end mean nothing."""
    forward = path.replace("\\", "/") if variables.escape == "`" else path
    return posixpath.normpath(f"/{forward}").lstrip("/") or "."


@cache
def _tokens(escape: str, *, quoted: bool) -> re.Pattern[str]:
    mark = re.escape(escape)
    if quoted:
        return re.compile(rf'{mark}(?P<escaped>["${mark}])|{_VARIABLE}', re.DOTALL)
    quotes = rf"'(?P<single>[^']*)'|\"(?P<double>(?:{mark}.|[^\"{mark}])*)\""
    return re.compile(rf"{quotes}|{mark}(?P<escaped>.)|{_VARIABLE}", re.DOTALL)


def split_words(text: str, escape: str) -> list[str]:
    """Split at blanks outside of quotes; the quotes stay."""
    mark = re.escape(escape)
    return re.findall(rf"(?:'[^']*'|\"(?:{mark}.|[^\"{mark}])*\"|{mark}.|\S)+", text)


def expand(text: str, variables: Mapping[str, str], escape: str, *, quoted: bool = False) -> str | None:
    """Return a word without its quotes, and with values for variables; None if it needs a value that is not known."""
    parts = [_value(match, variables, escape) for match in _tokens(escape, quoted=quoted).finditer(text)]
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def _value(match: re.Match[str], variables: Mapping[str, str], escape: str) -> str | None:
    kind = match.lastgroup or ""
    if kind in {"single", "escaped", "literal"}:
        return match[kind]
    if kind == "double":
        return expand(match[kind], variables, escape, quoted=True)
    if kind == "word":
        return _alternative(match, variables, escape)
    return variables.get(match[kind])  # what `other` holds is no name: the operators that cut and replace text


def _alternative(match: re.Match[str], variables: Mapping[str, str], escape: str) -> str | None:
    value = variables.get(match["braced"])
    there = value is not None and (value != "" or not match["operator"].startswith(":"))
    if match["operator"].endswith("-"):
        return value if there else expand(match["word"], variables, escape)
    return expand(match["word"], variables, escape) if there else ""
