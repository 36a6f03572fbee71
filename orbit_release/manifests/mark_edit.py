"""Put and remove the mark of a hold: a `# held: why` behind an image's value; no byte outside a comment changes.

What cannot be edited safely is an InvalidError that starts with `path:line`, as in `manifest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.image_fields import Container, KustomizeImage, Placeholder
from orbit_release.manifests.manifest import Manifest, read_manifest, spots_in
from orbit_release.manifests.mark import BLANKS, BLOCKS, mark_of, marks_of, rest_of_line
from orbit_release.manifests.proof import prove_comments, unproven
from orbit_release.manifests.rewrite import is_hold
from orbit_release.manifests.splice import end_of, line_of, scalars_of, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ROOM = re.compile(rf"[{BLANKS}]*(?:#.*)?", re.DOTALL)
_HINT = "Say in one line why automation should leave the service alone."

_Image: TypeAlias = Container | KustomizeImage
_Marks: TypeAlias = "Mapping[Repository, str | None]"


@dataclass(frozen=True, slots=True)
class MarkEdit:
    """What the mark beside an image says before and after (None: it has none); `line` is the image's, 1-based."""

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
    """A manifest afterwards; `warnings` are `path:line: why`.

    `unplaced` names the images beside which no comment can stand, `warnings` those that were marked, or let go of,
    although nobody asked for it, because they share a value or a line with one that was meant.
    """

    data: bytes
    edits: tuple[MarkEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """text[start:end] becomes `new`."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """An image, and what the mark that counts for it says before and after."""

    image: _Image
    before: str | None
    after: str | None


def valid_reason(text: str) -> str:
    """Return the reason of a hold without the blanks around it; InvalidError unless it is one printable line."""
    reason = text.strip()
    _require_line(reason)
    if not is_hold(reason):
        raise InvalidError(f"{text!r} is no reason: the mark `# held: no` lets go of a service", _HINT)
    return reason


def mark(data: bytes, path: str, marks: Mapping[Repository, str | None]) -> Marked:
    """Make the marks beside all images of the repositories say a text, or remove them (None).

    The same bytes when there is nothing to do.
    """
    for what in marks.values():
        if what is not None:
            _require_line(what)
    manifest = read_manifest(data, path, marks.keys())
    if not manifest.spots:
        return Marked(data)
    text = _text_after(manifest, marks)
    readings = _readings(manifest, text, marks)
    return Marked(
        manifest.encoded(text) if text != manifest.text else data,
        tuple(dict.fromkeys(_edits(manifest, readings, marks))),  # entries that share a tag are told of once
        tuple(dict.fromkeys(_unplaced(manifest, readings, marks))),
        tuple(dict.fromkeys(_warnings(manifest, readings, marks))),
    )


def _require_line(text: str) -> None:
    if not text or text != text.strip() or not text.isprintable():
        raise InvalidError(f"{text!r} is not one line of printable text", _HINT)


def _text_after(manifest: Manifest, marks: _Marks) -> str:
    changes: dict[int, _Change] = {}
    for spot in manifest.spots:
        if not isinstance(spot, Placeholder):
            for change in _changes(manifest.text, spot, marks[spot.repository]):
                if changes.setdefault(change.start, change) != change:
                    raise _contradiction(manifest.where(spot))
    if not changes:
        return manifest.text
    text = _spliced(manifest.text, changes.values())
    prove_comments(manifest.text, text, manifest.path, line_of(manifest.text, min(changes)))
    return text


def _changes(text: str, image: _Image, wanted: str | None) -> list[_Change]:
    """Remove all marks that may count; set the one that counts, or a new one where there is room for it."""
    marks = list(marks_of(text, image))
    if wanted is None:
        return [_Change(one.blanks, one.end, "") for one in marks]
    if marks:
        first = marks[0]
        blanks = text[first.blanks : first.start]
        return [_Change(first.blanks, first.end, f"{blanks}# held: {wanted}")] if first.reason != wanted else []
    if _obstacle(text, image):
        return []
    end = _end_of_line(text, image)
    return [_Change(end, end, f" # held: {wanted}")]


def _obstacle(text: str, image: _Image) -> str:
    """Say why no comment can stand behind an image's value, or ""."""
    scalar = image.scalars[0]
    if scalar.style in BLOCKS:
        return f"the value is a block ({scalar.style})"
    return "" if _ROOM.fullmatch(rest_of_line(text, end_of(scalar))) else "more follows on its line"


def _end_of_line(text: str, image: _Image) -> int:
    """Return where a mark belongs: behind the value and a comment, before the blanks that end the line."""
    end = end_of(image.scalars[0])
    return end + len(rest_of_line(text, end).rstrip(BLANKS))


def _spliced(text: str, changes: Iterable[_Change]) -> str:
    for change in sorted(changes, key=lambda one: one.start, reverse=True):
        text = text[: change.start] + change.new + text[change.end :]
    return text


def _readings(manifest: Manifest, text: str, marks: _Marks) -> list[_Reading]:
    """Read the marks of all images of the file, before and after: those of the others may have changed as well."""
    names = _names(manifest.text) | {repository.name: repository for repository in marks}
    images, images_after = (_images(one, manifest.path, names) for one in (manifest.text, text))
    if [one.reference for one in images] != [one.reference for one in images_after]:
        raise unproven(manifest.where(manifest.spots[0]), "comments")
    pairs = zip(images, images_after, strict=True)
    return [_Reading(one, mark_of(manifest.text, one), mark_of(text, after)) for one, after in pairs]


def _names(text: str) -> dict[str, Repository]:
    """Take every value that can be an image for one: whether it stands in the right field is asked later."""
    found = {}
    for value in {value_of(scalar) for scalar in scalars_of(text)}:
        try:
            repository = ImageReference.parse(value).repository
        except InvalidError:
            continue
        found[repository.name] = repository
    return found


def _images(text: str, path: str, names: dict[str, Repository]) -> list[_Image]:
    return [spot for spot in spots_in(text, path, names) if not isinstance(spot, Placeholder)]


def _edits(manifest: Manifest, readings: Iterable[_Reading], marks: _Marks) -> Iterator[MarkEdit]:
    for one in readings:
        if one.before != one.after and one.image.repository in marks:
            yield MarkEdit(manifest.path, manifest.line(one.image), one.image.repository, one.before, one.after)


def _unplaced(manifest: Manifest, readings: Iterable[_Reading], marks: _Marks) -> Iterator[Unplaced]:
    for one in readings:
        wanted = marks.get(one.image.repository, one.after)
        if one.after != wanted:
            where, obstacle = manifest.where(one.image), _obstacle(manifest.text, one.image)
            if wanted is None or not obstacle:
                raise _contradiction(where)
            yield Unplaced(
                one.image.repository, f"{where}: no comment can stand beside {one.image.reference}: {obstacle}"
            )


def _warnings(manifest: Manifest, readings: Iterable[_Reading], marks: _Marks) -> Iterator[str]:
    for one in readings:
        if one.before != one.after and one.image.repository not in marks:
            holds = is_hold(one.after)
            verb = "holds" if holds else "lets go of"
            yield f"{manifest.where(one.image)}: this {verb} {one.image.repository} as well"


def _contradiction(where: str) -> InvalidError:
    hint = "Give each image a line and a tag of its own, or mark both alike."
    return InvalidError(f"{where}: one comment would have to be two marks", hint)
