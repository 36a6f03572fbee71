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
from dataclasses import dataclass

from orbit_release.builders.dockerfile import Dockerfile, Statement, read_dockerfile
from orbit_release.check.inputs.shell_words import expand, split_words

_ADDRESS = re.compile(r"(?:https?|git|ssh)://|[\w.-]+@[\w.-]+:")
_FLAGS = re.compile(r"(?:--\S*\s+)*")
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Read:
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


def context_reads(text: str, build_args: Mapping[str, str]) -> Iterator[Read | UnknownRead]:
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
        """Take what FROM, ARG and ENV say."""
        if statement.name == "FROM":
            self._stage(statement.rest[_flags_end(statement.rest) :].split())
        elif statement.name == "ARG":
            for word in split_words(statement.rest, self.escape):
                self._argument(*word.partition("="))
        elif statement.name == "ENV":
            self._environment(statement.rest)

    def _stage(self, words: list[str]) -> None:
        base = expand(words[0], self._before_stages, self.escape) if words else None
        inherited = self._stages.get((base or "").lower(), ChainMap({}, {}))
        self._now = ChainMap(*map(dict, inherited.maps))
        if len(words) > 1:  # FROM base AS name
            self._stages[words[-1].lower()] = self._now

    def _argument(self, name: str, default: str, value: str) -> None:
        given = self._build_args.get(name)
        if given is None:
            given = self.expand(value) if default else self._before_stages.get(name)
        _set(self._now.maps[1], name, given)

    def _environment(self, rest: str) -> None:
        words = split_words(rest, self.escape)
        if words and "=" not in words[0]:
            words = ["=".join(rest.split(maxsplit=1))]
        values = {name: self.expand(value) for name, _, value in (word.partition("=") for word in words)}
        for name, value in values.items():
            _set(self._now.maps[0], name, value)


def _set(values: MutableMapping[str, str], name: str, value: str | None) -> None:
    if value is None:
        values.pop(name, None)
    else:
        values[name] = value


def _flags_end(rest: str) -> int:
    match = _FLAGS.match(rest)
    return match.end() if match else 0


def _reads(statement: Statement, variables: _Variables) -> Iterator[Read | UnknownRead]:
    end = _flags_end(statement.rest)
    flags = [flag.strip("\"'") for flag in statement.rest[:end].split()]
    if statement.name == "RUN":
        yield from _mounts(statement.line, flags, variables)
    elif statement.name in {"COPY", "ADD"} and not any(flag.startswith("--from") for flag in flags):
        excludes = [variables.expand(flag.partition("=")[2]) for flag in flags if flag.startswith("--exclude=")]
        parents = "--parents" in flags or "--parents=true" in flags
        for source in _sources(statement, statement.rest[end:]):
            path = variables.expand(source)
            if path is None:
                yield UnknownRead(statement.line, source)
            elif not _ADDRESS.match(path):
                yield Read(statement.line, source, _clean(path, variables), parents, tuple(filter(None, excludes)))


def _sources(statement: Statement, words: str) -> list[str]:
    found = _json_words(words) or [word for word in words.split() if word not in statement.heredocs]
    return [word for word in found[:-1] if not _ADDRESS.match(word.strip("\"'"))]


def _json_words(text: str) -> list[str] | None:
    try:
        found = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def _mounts(line: int, flags: list[str], variables: _Variables) -> Iterator[Read | UnknownRead]:
    for flag in flags:
        name, _, options = flag.partition("=")
        fields = dict(part.partition("=")[::2] for part in options.strip("\"'").split(","))
        if name == "--mount" and fields.get("type", "bind") == "bind" and "from" not in fields:
            source = fields.get("source", fields.get("src", "."))
            path = variables.expand(source)
            yield (
                UnknownRead(line, source) if path is None else Read(line, source, _clean(path, variables), mounted=True)
            )


def _clean(path: str, variables: _Variables) -> str:
    """Return a path below the context: `..` ends at its root, and slashes at either end mean nothing."""
    forward = path.replace("\\", "/") if variables.escape == "`" else path
    return posixpath.normpath(f"/{forward}").lstrip("/") or "."
