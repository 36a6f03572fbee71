"""YAML text whose scalars can be replaced in place.

A parser says where a scalar stands, the text is spliced there, and nothing is ever dumped. Working on events
keeps what a loader drops (repeated keys, anchors used twice) and never recurses, however deep the text nests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from orbit_release.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Kubernetes refuses 10,000 levels; parsers get slow with the square of the depth long before.
_MAX_DEPTH = 1_000

BREAKS = "\r\n\x85\u2028\u2029"
_LINE_END = re.compile(r"\r\n|\r|\n")
_PROPERTIES = re.compile(rf"(?:[&!]\S*+(?:[ \t{BREAKS}]++(?:#[^{BREAKS}]*+)?)*+)*+")
_BLOCK_HEADER = re.compile(rf"[|>][^{BREAKS}]*+(?:\r\n|[{BREAKS}]) *+")
_CHARACTER = re.compile(
    rf"\\(?P<continued>(?:\r\n|[{BREAKS}])[ \t]*+)"
    r"|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|.",
    re.DOTALL,
)
# What some YAML 1.1 or 1.2 reader takes for null, a boolean, a number, a date or a time of day.
_NOT_TEXT = re.compile(
    r"null|y|n|yes|no|on|off|true|false"
    r"|0x[0-9a-f_]*(?:\.[0-9a-f_]*)?(?:p-?[0-9]+)?|0o[0-7_]*|0b[01_]*"
    r"|[0-9][0-9_]*(?:\.[0-9_]*)?(?:e-?[0-9_]+)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+",
    re.IGNORECASE | re.ASCII,
)


class Mapping(list["Node"]):
    """Keys and values by turns; a dict would lose the repeated keys."""


class Sequence(list["Node"]):
    """The items of a sequence."""


Node: TypeAlias = ScalarEvent | Mapping | Sequence  # an alias is the node that it stands for


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a stream: text[start:end]."""

    root: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """The first `keep` characters of a scalar's value stay, `text` takes the place of the others."""

    scalar: ScalarEvent
    keep: int
    text: str

    @property
    def value(self) -> str:
        """The scalar's value afterwards; the line breaks that end a block scalar stay."""
        old = value_of(self.scalar)
        return old[: self.keep] + self.text + self.scalar.value[len(old) :]


def events(text: str) -> Iterator[Any]:
    """Yield the parser's events; raise yaml.YAMLError."""
    return iter(_Loader(text).get_event, None)


def scalars_of(text: str) -> list[ScalarEvent]:
    """List all scalars of a stream."""
    return [event for event in events(text) if type(event) is ScalarEvent]


def aliases_of(text: str, scalar: ScalarEvent) -> Iterator[int]:
    """Yield where the aliases end that stand for a scalar with an anchor."""
    is_meant = False
    for event in events(text):
        if isinstance(event, AliasEvent):
            if is_meant and event.anchor == scalar.anchor:
                mark: Any = event.end_mark
                yield int(mark.index)
        elif getattr(event, "anchor", None) == scalar.anchor:  # the last one of that name counts
            is_meant = event.start_mark.index == start_of(scalar)


def parse(text: str, path: str) -> list[Document]:
    """Read a stream; InvalidError with `path:line` where it is not YAML."""
    try:
        return list(_documents(events(text)))
    except yaml.YAMLError as error:
        line, problem = _explained(error, text)
        hint = "Correct the file; templates that are not YAML themselves cannot be edited."
        raise InvalidError(f"{path}:{line}: not valid YAML: {problem}", hint) from error


def _explained(error: Any, text: str) -> tuple[int, str]:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark: Any = error.problem_mark
        return line_of(text, mark.index), error.problem or ""
    # Only a character that YAML forbids is reported without a mark: by its place among the bytes.
    return line_of(text.encode()[: error.position].decode(errors="ignore"), len(text)), error.reason


def _documents(stream: Iterator[Any]) -> Iterator[Document]:
    for event in stream:
        if isinstance(event, DocumentStartEvent):
            # The first token of a bare document may be indented: the line's start belongs to it.
            mark: Any = event.start_mark
            start = mark.index - mark.column
            root, end = _tree(stream)
            yield Document(root, start, end)


def _tree(stream: Iterator[Any]) -> tuple[Node, int]:
    """Read a document up to its end; flat and plain, because every event of every manifest passes here."""
    inner: Mapping | Sequence = Sequence()
    outer: list[Mapping | Sequence] = []
    anchors: dict[str, Node] = {}
    while (kind := type(event := next(stream))) is not DocumentEndEvent:
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            inner = outer.pop()
            continue
        if kind is AliasEvent:
            node: Any = _aliased(event, anchors)
        else:
            node = event if kind is ScalarEvent else Mapping() if kind is MappingStartEvent else Sequence()
        inner.append(node)
        if event.anchor:
            anchors[event.anchor] = node
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            outer.append(inner)
            inner = node
            if len(outer) > _MAX_DEPTH:
                raise _fault(event, f"nested deeper than {_MAX_DEPTH:,} levels")
    return inner[0], event.end_mark.index


def _aliased(event: Any, anchors: dict[str, Node]) -> Node:
    if event.anchor not in anchors:
        raise _fault(event, f"no anchor &{event.anchor} before this alias")
    return anchors[event.anchor]


def _fault(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def start_of(scalar: ScalarEvent) -> int:
    """Return where a scalar starts, properties included, as an index into the text."""
    mark: Any = scalar.start_mark
    return int(mark.index)


def end_of(scalar: ScalarEvent) -> int:
    """Return where a scalar ends; trailing blank lines belong to a block scalar."""
    mark: Any = scalar.end_mark
    return int(mark.index)


def value_of(scalar: ScalarEvent) -> str:
    """Return the value, without the line breaks that end a block scalar."""
    value: str = scalar.value
    return value.rstrip("\n") if scalar.style in ("|", ">") else value


def is_plain(scalar: ScalarEvent) -> bool:
    """Whether it is written without quotes, block header and tag, so that its text decides its type."""
    return not scalar.style and scalar.tag is None


def line_of(text: str, position: int) -> int:
    """Return the 1-based number of the line that holds a position."""
    return len(_LINE_END.findall(text, 0, position)) + 1


def span(text: str, scalar: ScalarEvent) -> tuple[int, int]:
    """Where the value stands, without properties, quotes, block header and indentation."""
    start, end = start_of(scalar), end_of(scalar)
    if not scalar.style:
        return end - len(scalar.value), end
    if properties := _PROPERTIES.match(text, start):
        start = properties.end()
    if scalar.style in ("'", '"'):
        return start + 1, end - 1
    if header := _BLOCK_HEADER.match(text, start):
        start = header.end()
    return start, start + len(value_of(scalar))


def splice(text: str, path: str, replacements: Iterable[Replacement]) -> str:
    """Replace the scalars' values, from the last to the first; InvalidError where one cannot be."""
    for change in sorted(replacements, key=lambda one: start_of(one.scalar), reverse=True):
        start, end = span(text, change.scalar)
        if not _is_written_out(text, change.scalar, start, end):
            where = f"{path}:{line_of(text, start_of(change.scalar))}"
            hint = f"Write the value on one line, as in: {change.value.rstrip()}"
            raise InvalidError(f"{where}: this value cannot be edited in place", hint)
        if is_plain(change.scalar) and _NOT_TEXT.fullmatch(change.value):
            new = f'"{change.value}"'
        else:
            start, new = _offset(text, start, end, change), change.text
        text = text[:start] + new + text[end:]
    return text


def _is_written_out(text: str, scalar: ScalarEvent, start: int, end: int) -> bool:
    """Whether text[start:end] is the value's own text (in quotes it may be escaped)."""
    if scalar.style in ("'", '"'):
        return start <= end and text[start - 1] == text[end] == scalar.style
    return start < end and text[start:end] == value_of(scalar)


def _offset(text: str, start: int, end: int, change: Replacement) -> int:
    """Where the first character of the value that does not stay is written."""
    if change.scalar.style != '"':
        return start + change.keep
    written = (one for one in _CHARACTER.finditer(text, start, end) if not one["continued"])
    starts = [one.start() for one in written]
    return starts[change.keep] if change.keep < len(starts) else end
