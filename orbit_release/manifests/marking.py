"""Put and remove the marks of holds, without a change to any byte outside a comment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from orbit_release.errors import InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.mark import end_of_line, is_hold, marks_beside, obstacle, require_line
from orbit_release.manifests.places import Place, ServicePlaces
from orbit_release.manifests.texts.text_edits import TextEdits
from orbit_release.manifests.texts.written import Text

Marks: TypeAlias = Mapping[Repository, str | None]
Places: TypeAlias = Mapping[Repository, ServicePlaces]


@dataclass(frozen=True, slots=True)
class MarkEdit:
    """What the mark beside an image says before and after (None: there is none); `line` is the image's, from 1."""

    path: str
    line: int
    repository: Repository
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An image beside which no comment can stand; `why` is `path:line: why`."""

    repository: Repository
    why: str


@dataclass(frozen=True, slots=True)
class Marked:
    """The files that change, with their new bytes.

    `warnings` are `path:line: why`, for each image that was marked, or let go of, although nobody asked for it,
    because it shares a value or a line with one that was meant.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    edits: tuple[MarkEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    warnings: tuple[str, ...] = ()


def mark(before: Places, wanted: Marks, read_again: Callable[[Mapping[str, bytes]], Places]) -> Marked:
    """Make the marks beside all places of the repositories say a text, or remove them (None).

    `read_again` reads the places with some files changed.
    """
    for text in wanted.values():
        if text is not None:
            require_line(text)
    files = _edits(before, wanted).files()
    after = read_again(files) if files else before
    effects = dict.fromkeys(_effects(before, after, wanted))
    return Marked(
        files,
        tuple(effect for effect in effects if isinstance(effect, MarkEdit)),
        tuple(effect for effect in effects if isinstance(effect, Unplaced)),
        tuple(effect for effect in effects if isinstance(effect, str)),
    )


def _edits(before: Places, wanted: Marks) -> TextEdits:
    texts = TextEdits()
    for repository, text in wanted.items():
        service = before.get(repository, ServicePlaces())
        for place in service.places:
            for in_, edit in _comments(place, text):
                if not texts.comment(in_, edit):
                    raise _contradiction(place)
        if text is None:  # also beside what is overridden: a mark there counts
            for mark in marks_beside(service.lines):
                texts.comment(mark.text, (mark.blanks, mark.end, ""))
    return texts


def _comments(place: Place, wanted: str | None) -> Iterator[tuple[Text, tuple[int, int, str]]]:
    """Remove all marks that may count; set the one that counts, or a new one where there is room for it."""
    own = list(marks_beside(place.value.scalars))
    if wanted is None:
        yield from ((mark.text, (mark.blanks, mark.end, "")) for mark in own)
    elif own:
        first = own[0]
        blanks = first.text.text[first.blanks : first.start]
        if first.reason != wanted:
            yield first.text, (first.blanks, first.end, f"{blanks}# held: {wanted}")
    elif not obstacle(value := place.value.scalars[0]):
        end = end_of_line(value)
        yield value.text, (end, end, f" # held: {wanted}")


def _effects(before: Places, after: Places, wanted: Marks) -> Iterator[MarkEdit | Unplaced | str]:
    """Yield what the marks did, what they could not do, and the warnings."""
    pairs = [
        pair for repository in before for pair in zip(before[repository].places, after[repository].places, strict=True)
    ]
    for old, new in sorted(pairs, key=lambda pair: (pair[0].image.path, pair[0].image.line)):
        was, is_ = old.image.mark, new.image.mark
        if was != is_ and old.repository not in wanted:
            yield f"{old.where}: this {'holds' if is_hold(is_) else 'lets go of'} {old.repository} as well"
        elif was != is_:
            yield MarkEdit(old.image.path, old.image.line, old.repository, was, is_)
        if is_ != wanted.get(old.repository, is_):
            why = obstacle(old.value.scalars[0])
            if wanted[old.repository] is None or not why:
                raise _contradiction(old)
            reference = old.image.reference
            yield Unplaced(old.repository, f"{old.where}: no comment can stand beside {reference}: {why}")


def _contradiction(place: Place) -> InvalidError:
    hint = "Give each image a line and a tag of its own, or mark both alike."
    return InvalidError(f"{place.where}: one comment would have to be two marks", hint)
