"""The marks of holds in a manifest's text: `# held: why` beside an image's value, or beside what stands for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError
from orbit_release.manifests.image_fields import Container, KustomizeImage
from orbit_release.manifests.nodes import BREAKS, Scalar, aliases_of, end_of, rest_of_line, scalars_of, start_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BLANKS = " \t"
BLOCKS = ("|", ">")  # the styles of scalars that end on another line than their comment stands on

_HELD = re.compile(rf"(?<=[{BLANKS}])#[{BLANKS}]*held:(?=([^{BREAKS}]*))", re.IGNORECASE)
_MAY_HOLD = re.compile(r"held:", re.IGNORECASE)
# The marks that let go of what moved back; a reason of these words would be one of them.
_LETS_GO = re.compile(r"no(?:, after [0-9a-f]{7,64})?", re.IGNORECASE)
_HINT = "Say in one line why automation should leave the service alone."


@dataclass(frozen=True, slots=True)
class Mark:
    """text[start:end] is a mark from its `#` on, text[blanks:start] the blanks before it."""

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


def mark_of(text: str, image: Container | KustomizeImage) -> str | None:
    """Return what the mark that counts for an image says."""
    return next((mark.reason for mark in marks_of(text, image)), None)


def marks_of(text: str, image: Container | KustomizeImage) -> Iterator[Mark]:
    """Yield the marks beside an image, the one that counts first."""
    names = image.names if isinstance(image, KustomizeImage) else ()
    for scalar in (*image.scalars, *names):
        for end in _ends(text, scalar):
            yield from _marks_beside(text, end)


def _ends(text: str, scalar: Scalar) -> Iterator[int]:
    """Look beside a value, beside the header of a block, and beside the aliases that stand for it."""
    yield start_of(scalar) if scalar.style in BLOCKS else end_of(scalar)
    if scalar.anchor and _MAY_HOLD.search(text):  # looking for aliases parses the whole text
        yield from aliases_of(text, scalar)


def _marks_beside(text: str, value_end: int) -> Iterator[Mark]:
    """Yield the first mark on the rest of the line; what follows it there is what it says."""
    for match in _HELD.finditer(text, value_end, value_end + len(rest_of_line(text, value_end))):
        if not _is_quoted(text, value_end, match.start()):
            blanks = value_end + len(text[value_end : match.start()].rstrip(BLANKS))
            end = match.start() + len(text[match.start() : match.end(1)].rstrip(BLANKS))
            yield Mark(blanks, match.start(), end, match[1].strip())
            return


def _is_quoted(text: str, value_end: int, position: int) -> bool:
    """Whether a `#` behind a value belongs to the next value of a flow mapping; only quotes can hide one."""
    if not any(quote in text[value_end:position] for quote in "'\""):
        return False
    return any(start_of(scalar) <= position < end_of(scalar) for scalar in scalars_of(text))
