"""The marks of holds: `# held: why` beside an image's value, or beside what stands for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text, Written

_BLANKS = " \t"
BLOCKS = ("|", ">")  # the styles of scalars that end on another line than their comment stands on
_HELD = re.compile(rf"(?<=[{_BLANKS}])#[{_BLANKS}]*held:(?=([^{nodes.BREAKS}]*))", re.IGNORECASE)
_MAY_HOLD = re.compile(r"held:", re.IGNORECASE)
_ROOM = re.compile(rf"[{_BLANKS}]*(?:#.*)?", re.DOTALL)
# The marks that let go of what moved back; a reason of these words would be one of them.
_LETS_GO = re.compile(r"no(?:, after [0-9a-f]{7,64})?", re.IGNORECASE)
_HINT = "Say in one line why automation should leave the service alone."


@dataclass(frozen=True, slots=True)
class Mark:
    """text[start:end] is a mark from its `#` on, text[blanks:start] the blanks before it."""

    text: Text
    blanks: int
    start: int
    end: int
    reason: str


def is_hold(mark: str | None) -> bool:
    """Whether a mark keeps automation away: it says something else than `no`."""
    return mark is not None and not _LETS_GO.fullmatch(mark)


def valid_reason(text: str) -> str:
    """Return the reason of a hold without the blanks around it; InvalidError unless it is one printable line."""
    reason = text.strip()
    require_line(reason)
    if not is_hold(reason):
        raise InvalidError(f"{text!r} is no reason: the mark `# held: no` lets go of a service", _HINT)
    return reason


def require_line(text: str) -> None:
    """Raise InvalidError unless a text can be a mark's."""
    if not text or text != text.strip() or not text.isprintable():
        raise InvalidError(f"{text!r} is not one line of printable text", _HINT)


def mark_of(values: Iterable[Written]) -> str | None:
    """Return what the mark that counts says, of the marks beside some values; the first value's comes first."""
    return next((mark.reason for mark in marks_beside(values)), None)


def marks_beside(values: Iterable[Written]) -> Iterator[Mark]:
    """Yield the marks beside values, the one that counts first."""
    for value in values:
        if _MAY_HOLD.search(value.text.text):
            for end in _ends(value):
                yield from _mark_behind(value.text, end)


def _ends(value: Written) -> Iterator[int]:
    """Look beside a value, beside the header of a block, and beside the aliases that stand for it."""
    scalar = value.scalar
    yield value.start if scalar.style in BLOCKS else nodes.end_of(scalar)
    if scalar.anchor:
        yield from nodes.aliases_of(value.text.text, scalar)


def _mark_behind(text: Text, value_end: int) -> Iterator[Mark]:
    """Yield the first mark on the rest of the line: all that follows it there is what it says."""
    written = text.text
    for match in _HELD.finditer(written, value_end, value_end + len(nodes.rest_of_line(written, value_end))):
        if not _is_quoted(written, value_end, match.start()):
            blanks = value_end + len(written[value_end : match.start()].rstrip(_BLANKS))
            end = match.start() + len(written[match.start() : match.end(1)].rstrip(_BLANKS))
            yield Mark(text, blanks, match.start(), end, match[1].strip())
            return


def _is_quoted(text: str, value_end: int, position: int) -> bool:
    """Whether a `#` behind a value belongs to the next value of a flow mapping; only quotes can hide one."""
    if not any(quote in text[value_end:position] for quote in "'\""):
        return False
    return any(nodes.start_of(scalar) <= position < nodes.end_of(scalar) for scalar in nodes.scalars_of(text))


def end_of_line(value: Written) -> int:
    """Return where a mark goes: behind a comment, before the blanks that end the line."""
    end = nodes.end_of(value.scalar)
    return end + len(nodes.rest_of_line(value.text.text, end).rstrip(_BLANKS))


def obstacle(value: Written) -> str:
    """Say why no comment can stand behind a value, or ""."""
    scalar = value.scalar
    if scalar.style in BLOCKS:
        return f"the value is a block ({scalar.style})"
    if value.path.endswith(".json"):
        return "JSON has no comments"
    inside = value.text.inside
    if inside and inside.scalar.style != "|":
        return "it stands inside another value"
    rest = nodes.rest_of_line(value.text.text, nodes.end_of(scalar))
    return "" if _ROOM.fullmatch(rest) else "more follows on its line"
