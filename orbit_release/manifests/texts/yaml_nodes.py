"""The one reader of YAML: from bytes to text, from text to nodes, and what a path of keys leads to.

Nodes keep what a loader drops: places, quotes and repeated keys. They are made from the parser's events, so reading
never recurses, however deep a text nests.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

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

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Kubernetes refuses 10,000 levels; parsers get slow with the square of the depth long before.
_MAX_DEPTH = 1_000
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "yes", "on")
_MERGE = "<<"
BREAKS = "\r\n\x85\u2028\u2029"
_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE_REST = re.compile(rf"[^{BREAKS}]*")
# What some YAML 1.1 or 1.2 reader takes for null, a boolean, a number, a date or a time of day. It is compiled when it
# is needed first: reading the configuration needs it never.
_NOT_TEXT = (
    r"~|null|y|n|yes|no|on|off|true|false"
    r"|[-+]?(?:0x[0-9a-f_]*(?:\.[0-9a-f_]*)?(?:p-?[0-9]+)?|0o[0-7_]*|0b[01_]*)"
    r"|[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:e[-+]?[0-9_]+)?|[-+]?\.(?:inf|nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:t|[ \t]+)[0-9]{1,2}:.*)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
)

Scalar = ScalarEvent


class SequenceNode(list["Node"]):
    __slots__ = ("column", "line")  # from 1; numbers alone are no work for the garbage collector
    line: int
    column: int


class MappingNode(list["Node"]):
    """Keys and values by turns; a dict would lose the repeated keys."""

    __slots__ = ("column", "line")
    line: int
    column: int

    def entries(self) -> Iterator[tuple[Node, Node]]:
        """Yield its own keys and values, as they stand: repeated ones, and `<<` with what it merges."""
        return zip(self[::2], self[1::2], strict=True)

    def named(self, key: str) -> list[tuple[Scalar, Node]]:
        """Return its own entries of a key: several where the key is repeated."""
        return [(name, value) for name, value in self.entries() if type(name) is Scalar and name.value == key]

    def get(self, key: str) -> Node | None:
        """Return its own value of a key; of a repeated one the last counts, as it does for most readers."""
        for at in range(len(self) - 2, -1, -2):
            name = self[at]
            if type(name) is Scalar and name.value == key:
                return self[at + 1]
        return None


Node: TypeAlias = Scalar | MappingNode | SequenceNode  # an alias is the node that it stands for
Path: TypeAlias = tuple[str | int | None, ...]  # keys (None for a collection), and the numbers of items


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a stream: text[start:end]."""

    root: Node
    start: int
    end: int


class UnreadableError(InvalidError):
    """A file that is not text, or not YAML: `problem` is at `place`, a line and a column, both from 1."""

    def __init__(self, message: str, hint: str, place: tuple[int, int], problem: str) -> None:
        super().__init__(message, hint)
        self.place, self.problem = place, problem


def read(data: bytes, path: str) -> list[Node]:
    """Return the roots of a file's documents; UnreadableError with `path:line`."""
    return [document.root for document in parse(decoded(data, path)[0], path)]


def decoded(data: bytes, path: str) -> tuple[str, bytes, str]:
    """Return a file's text, its byte order mark and its encoding; UnreadableError with `path:line`."""
    bom, encoding = next((pair for pair in _BOMS if data.startswith(pair[0])), (b"", "utf-8"))
    try:
        return data[len(bom) :].decode(encoding), bom, encoding
    except UnicodeDecodeError as error:
        number = data[: len(bom) + error.start].count(b"\n") + 1
        problem, hint = f"not {encoding.upper()}", "Save the file as UTF-8."
        raise UnreadableError(f"{path}:{number}: {problem}", hint, (number, 1), problem) from error


def parse(text: str, path: str) -> list[Document]:
    """Return a stream's documents; UnreadableError with `path:line`."""
    try:
        return list(_documents(events(text)))
    except yaml.YAMLError as error:
        raise _unreadable(error, text, path) from error


def _unreadable(error: yaml.YAMLError, text: str, path: str) -> UnreadableError:
    number, column, problem = _explained(error, text)
    message = f"{path}:{number}: not valid YAML: {getattr(error, 'note', None) or problem}"
    hint = "Correct the file; templates that are not YAML themselves cannot be edited."
    return UnreadableError(message, hint, (number, column), problem)


def unreadable(data: bytes, path: str) -> UnreadableError | None:
    """Return why a file cannot be read, with `path:line`, or None; it costs less than to parse it."""
    try:
        text = decoded(data, path)[0]
        deque(events(text), maxlen=0)
    except UnreadableError as error:
        return error
    except yaml.YAMLError as error:
        return _unreadable(error, text, path)
    return None


def events(text: str) -> Iterator[Any]:
    """Yield the parser's events; raise yaml.YAMLError."""
    return iter(_Loader(text).get_event, None)


def scalars_of(text: str) -> list[Scalar]:
    return [event for event in events(text) if type(event) is Scalar]


def aliases_of(text: str, scalar: Scalar) -> Iterator[int]:
    """Yield where the aliases end that stand for a scalar with an anchor."""
    is_meant = False
    for event in events(text):
        if isinstance(event, AliasEvent):
            if is_meant and event.anchor == scalar.anchor:
                mark: Any = event.end_mark
                yield int(mark.index)
        elif getattr(event, "anchor", None) == scalar.anchor:  # the last one of that name counts
            is_meant = event.start_mark.index == start_of(scalar)


def _explained(error: Any, text: str) -> tuple[int, int, str]:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark: Any = error.problem_mark
        return line_of(text, mark.index), mark.column + 1, error.problem or ""
    # Only a character that YAML forbids is reported without a mark: by its place among the bytes.
    return line_of(text.encode()[: error.position].decode(errors="ignore"), len(text)), 1, error.reason


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
    inner: MappingNode | SequenceNode = SequenceNode()
    outer: list[MappingNode | SequenceNode] = []
    anchors: dict[str, Node] = {}
    while (kind := type(event := next(stream))) is not DocumentEndEvent:
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            inner = outer.pop()
            continue
        if kind is AliasEvent:
            if event.anchor not in anchors:
                raise _fault(event, "found undefined alias", f"no anchor &{event.anchor} before this alias")
            node: Any = anchors[event.anchor]
        else:
            node = event if kind is Scalar else MappingNode() if kind is MappingStartEvent else SequenceNode()
        inner.append(node)
        if event.anchor:
            anchors[event.anchor] = node
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            mark = event.start_mark
            node.line, node.column = mark.line + 1, mark.column + 1
            outer.append(inner)
            inner = node
            if len(outer) > _MAX_DEPTH:
                raise _fault(event, f"nested deeper than {_MAX_DEPTH:,} levels")
    return inner[0], event.end_mark.index


def _fault(event: Any, problem: str, note: str | None = None) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark, note=note)


def child(node: Node | None, *path: str) -> Node | None:
    """Return what a path of keys leads to, merged keys included; None where it ends early."""
    for key in path:
        if not isinstance(node, MappingNode):
            return None
        own = node.get(key)
        node = own if own is not None or node.get(_MERGE) is None else _merged(node, key)
    return node


def _merged(node: MappingNode, key: str) -> Node | None:
    values = (mapping.get(key) for mapping in with_merged(node))
    return next((value for value in values if value is not None), None)


def with_merged(node: Node | None) -> Iterator[MappingNode]:
    """Yield a mapping and all that it merges, in order of precedence, each once (merges may form a circle)."""
    seen: set[int] = set()
    open_ = [node]
    while open_:
        mapping = open_.pop()
        if isinstance(mapping, MappingNode) and id(mapping) not in seen:
            seen.add(id(mapping))
            yield mapping
            for key, value in reversed(mapping.named(_MERGE)):
                if not key.style:
                    open_.extend(reversed(value) if isinstance(value, SequenceNode) else [value])


def items(node: Node | None, *path: str) -> list[Node]:
    """Return the items of the sequence that a path leads to; none where there is no sequence."""
    sequence = child(node, *path)
    return list(sequence) if isinstance(sequence, SequenceNode) else []


def scalar(node: Node | None, *path: str) -> Scalar | None:
    """Return the scalar that a path leads to; None for null, and where there is none."""
    value = child(node, *path)
    return value if isinstance(value, Scalar) and not is_null(value) else None


def text(node: Node | None, *path: str) -> str:
    """Return the text of the scalar that a path leads to; "" for null, and where there is none."""
    value = scalar(node, *path)
    return value_of(value) if value else ""


def is_true(node: Node | None, *path: str) -> bool:
    value = scalar(node, *path)
    return value is not None and is_plain(value) and value.value.lower() in _TRUE


def pairs(node: Node | None, *path: str) -> list[tuple[Scalar, Node]]:
    """Return the keys and values of the mapping that a path leads to, merged ones included, each key once."""
    known: dict[str, tuple[Scalar, Node]] = {}
    for mapping in with_merged(child(node, *path)):
        own = {key.value: (key, value) for key, value in mapping.entries() if isinstance(key, Scalar)}
        known |= {key: entry for key, entry in own.items() if key not in known}
    known.pop(_MERGE, None)
    return list(known.values())


def keys(node: Node | None, *path: str) -> list[str]:
    return [key.value for key, _ in pairs(node, *path)]


def scalars(root: Node) -> Iterator[tuple[Path, Scalar]]:
    """Yield every value below a node with the path to it, each collection once."""
    seen: set[int] = set()
    open_: list[tuple[Path, Node]] = [((), root)]
    while open_:
        path, node = open_.pop()
        if isinstance(node, Scalar):
            yield path, node
        elif id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, SequenceNode):
                below: list[tuple[Path, Node]] = [((*path, number), item) for number, item in enumerate(node)]
            else:
                entries = node.entries()
                below = [((*path, key.value if isinstance(key, Scalar) else None), value) for key, value in entries]
            open_ += reversed(below)


def place(node: Node) -> tuple[int, int]:
    """Return the line and the column, both from 1, that a node starts at."""
    if not isinstance(node, Scalar):
        return node.line, node.column
    mark: Any = node.start_mark
    return mark.line + 1, mark.column + 1


def line(node: Node) -> int:
    return place(node)[0]


def line_of(text: str, position: int) -> int:
    return len(_LINE_END.findall(text, 0, position)) + 1


def rest_of_line(text: str, position: int) -> str:
    rest = _LINE_REST.match(text, position)
    return rest[0] if rest else ""


def start_of(scalar: Scalar) -> int:
    """Return where a scalar starts, properties included, as an index into the text."""
    mark: Any = scalar.start_mark
    return int(mark.index)


def end_of(scalar: Scalar) -> int:
    """Return where a scalar ends; trailing blank lines belong to a block scalar."""
    mark: Any = scalar.end_mark
    return int(mark.index)


def value_of(scalar: Scalar) -> str:
    """Return the value, without the line breaks that end a block scalar."""
    value: str = scalar.value
    return value.rstrip("\n") if scalar.style in ("|", ">") else value


def is_plain(scalar: Scalar) -> bool:
    """Whether it is written without quotes, block header and tag, so that its text decides its type."""
    return not scalar.style and scalar.tag is None


def is_null(scalar: Scalar) -> bool:
    return (is_plain(scalar) and scalar.value in _NULLS) or scalar.tag == "tag:yaml.org,2002:null"


def is_text(scalar: Scalar) -> bool:
    """Whether every reader takes it for text."""
    return not is_plain(scalar) or (not is_null(scalar) and not is_ambiguous(scalar.value))


def is_ambiguous(value: str) -> bool:
    """Whether some reader takes a plain value for something else than text."""
    return bool(re.fullmatch(_NOT_TEXT, value, re.IGNORECASE | re.ASCII))
