"""Replace scalars of a YAML text in place: a parser says where they stand, and nothing is ever dumped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.manifests.texts.yaml_nodes import (
    BREAKS,
    Scalar,
    end_of,
    is_ambiguous,
    is_plain,
    line_of,
    start_of,
    value_of,
)

# Compiled when they are needed first: reading what stands in plain values needs none.
_PROPERTIES = rf"(?:[&!]\S*+(?:[ \t{BREAKS}]++(?:#[^{BREAKS}]*+)?)*+)*+"
_BLOCK_HEADER = rf"[|>][^{BREAKS}]*+(?:\r\n|[{BREAKS}]) *+"
_LINE = r"[^\r\n]*+(?:\r\n|\r|\n|\Z)"
_CHARACTER = (
    r"(?s)"
    rf"\\(?P<continued>(?:\r\n|[{BREAKS}])[ \t]*+)"
    r"|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|."
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The first `keep` characters of a scalar's value stay, `text` takes the place of the others."""

    scalar: Scalar
    keep: int
    text: str

    @property
    def value(self) -> str:
        """The scalar's value afterwards; the line breaks that end a block scalar stay."""
        old = value_of(self.scalar)
        return old[: self.keep] + self.text + self.scalar.value[len(old) :]


def span(text: str, scalar: Scalar) -> tuple[int, int]:
    """Return where the value stands, without properties, quotes, block header and indentation."""
    start, end = start_of(scalar), end_of(scalar)
    if not scalar.style:
        return end - len(scalar.value), end
    if properties := re.compile(_PROPERTIES).match(text, start):
        start = properties.end()
    if scalar.style in ("'", '"'):
        return start + 1, end - 1
    if header := re.compile(_BLOCK_HEADER).match(text, start):
        start = header.end()
    return start, start + len(value_of(scalar))


def splice(text: str, path: str, replacements: Iterable[Replacement]) -> str:
    """Replace the scalars' values, from the last to the first; InvalidError where one cannot be."""
    for change in sorted(replacements, key=lambda change: start_of(change.scalar), reverse=True):
        start, end = span(text, change.scalar)
        if change.scalar.style == "|" and "\n" in value_of(change.scalar):
            text = _with_lines(text, path, change)
            continue
        if not _is_written_out(text, change.scalar, start, end):
            raise _no_place(text, path, change)
        if is_plain(change.scalar) and is_ambiguous(change.value):
            new = f'"{change.value}"'
        else:
            start, new = _offset(text, start, end, change), change.text
        text = text[:start] + new + text[end:]
    return text


def _no_place(text: str, path: str, change: Replacement) -> InvalidError:
    where = f"{path}:{line_of(text, start_of(change.scalar))}"
    value = change.value.rstrip()
    hint = "Write the text as a block, `|-`." if "\n" in value else f"Write the value on one line, as in: {value}"
    return InvalidError(f"{where}: this value cannot be edited in place", hint)


def _with_lines(text: str, path: str, change: Replacement) -> str:
    """Replace the lines of a literal block that differ; each is written out behind its indentation."""
    start = span(text, change.scalar)[0]
    start -= len(text[:start]) - len(text[:start].rstrip(" "))
    old, new = value_of(change.scalar).split("\n"), change.value.rstrip("\n").split("\n")
    written = [match.span() for match in re.compile(_LINE).finditer(text, start, end_of(change.scalar))]
    if len(old) != len(new) or len(written) < len(old):
        raise _no_place(text, path, change)
    for (first, last), before, after in reversed([*zip(written, old, new, strict=False)]):
        line = text[first:last].rstrip("\r\n")
        if before != after:
            if not line.endswith(before) or line[: len(line) - len(before)].strip(" "):
                raise _no_place(text, path, change)
            at = first + len(line) - len(before)
            text = text[:at] + after + text[first + len(line) :]
    return text


def _is_written_out(text: str, scalar: Scalar, start: int, end: int) -> bool:
    """Whether text[start:end] is the value's own text (in quotes it may be escaped)."""
    if scalar.style in ("'", '"'):
        return start <= end and text[start - 1] == text[end] == scalar.style
    return start < end and text[start:end] == value_of(scalar)


def _offset(text: str, start: int, end: int, change: Replacement) -> int:
    """Return where the first character of the value that does not stay is written."""
    if change.scalar.style != '"':
        return start + change.keep
    written = (match for match in re.compile(_CHARACTER).finditer(text, start, end) if not match["continued"])
    starts = [match.start() for match in written]
    return starts[change.keep] if change.keep < len(starts) else end
