"""The marks of holds in a manifest's text: `# held: why` beside an image's value, or beside what stands for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.manifests.image_fields import Container, KustomizeImage
from orbit_release.manifests.splice import BREAKS, aliases_of, end_of, scalars_of, start_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.events import ScalarEvent

BLANKS = " \t"
BLOCKS = ("|", ">")  # the styles of scalars that end on another line than their comment stands on

_HELD = re.compile(rf"(?<=[{BLANKS}])#[{BLANKS}]*held:(?=([^{BREAKS}]*))", re.IGNORECASE)
_MAY_HOLD = re.compile(r"held:", re.IGNORECASE)
_LINE_REST = re.compile(rf"[^{BREAKS}]*")


@dataclass(frozen=True, slots=True)
class Mark:
    """text[start:end] is a mark from its `#` on, text[blanks:start] the blanks before it."""

    blanks: int
    start: int
    end: int
    reason: str


def mark_of(text: str, image: Container | KustomizeImage) -> str | None:
    """Return what the mark that counts for an image says."""
    return next((mark.reason for mark in marks_of(text, image)), None)


def marks_of(text: str, image: Container | KustomizeImage) -> Iterator[Mark]:
    """Yield the marks beside an image, the one that counts first."""
    names = image.names if isinstance(image, KustomizeImage) else ()
    for scalar in (*image.scalars, *names):
        for end in _ends(text, scalar):
            yield from _marks_beside(text, end)


def rest_of_line(text: str, position: int) -> str:
    """Return what follows a position on its line."""
    rest = _LINE_REST.match(text, position)
    return rest[0] if rest else ""


def _ends(text: str, scalar: ScalarEvent) -> Iterator[int]:
    """Look beside a value, beside the header of a block, and beside the aliases that stand for it."""
    yield start_of(scalar) if scalar.style in BLOCKS else end_of(scalar)
    if scalar.anchor and _MAY_HOLD.search(text):  # looking for aliases parses the whole text
        yield from aliases_of(text, scalar)


def _marks_beside(text: str, value_end: int) -> Iterator[Mark]:
    """Yield the first mark on the rest of the line; what follows it there is what it says."""
    comments = _HELD.finditer(text, value_end, value_end + len(rest_of_line(text, value_end)))
    for found in (one for one in comments if not _is_quoted(text, value_end, one.start())):
        blanks = value_end + len(text[value_end : found.start()].rstrip(BLANKS))
        end = found.start() + len(text[found.start() : found.end(1)].rstrip(BLANKS))
        yield Mark(blanks, found.start(), end, found[1].strip())
        return


def _is_quoted(text: str, value_end: int, position: int) -> bool:
    """Whether a `#` behind a value belongs to the next value of a flow mapping; only quotes can hide one."""
    if not any(quote in text[value_end:position] for quote in "'\""):
        return False
    return any(start_of(one) <= position < end_of(one) for one in scalars_of(text))
