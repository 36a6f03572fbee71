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
from orbit_release.manifests.mark import BLANKS, BLOCKS, is_hold, mark_of, marks_of, require_line
from orbit_release.manifests.nodes import end_of, line_of, rest_of_line, scalars_of, value_of
from orbit_release.manifests.proof import prove_comments, unproven

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOM = re.compile(rf"[{BLANKS}]*(?:#.*)?", re.DOTALL)

_Image: TypeAlias = Container | KustomizeImage
_Marks: TypeAlias = "Mapping[Repository, str | None]"
_Splice: TypeAlias = tuple[int, int, str]  # text[start:end] becomes the new one


@dataclass(frozen=True, slots=True)
class MarkEdit:
    """What the mark beside an image says before and after (None: it has none); `line` is the image's, from 1."""

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


def mark(data: bytes, path: str, marks: Mapping[Repository, str | None]) -> Marked:
    """Make the marks beside all images of the repositories say a text, or remove them (None).

    The same bytes when there is nothing to do.
    """
    for wanted in marks.values():
        if wanted is not None:
            require_line(wanted)
    manifest = read_manifest(data, path, marks.keys())
    if not manifest.spots:
        return Marked(data)
    text = _text_after(manifest, marks)
    # Entries that share a tag are told of once.
    effects = dict.fromkeys(_effects(manifest, text, marks))
    return Marked(
        manifest.encoded(text) if text != manifest.text else data,
        tuple(effect for effect in effects if isinstance(effect, MarkEdit)),
        tuple(effect for effect in effects if isinstance(effect, Unplaced)),
        tuple(effect for effect in effects if isinstance(effect, str)),
    )


def _text_after(manifest: Manifest, marks: _Marks) -> str:
    splices: dict[int, _Splice] = {}
    for spot in manifest.spots:
        if not isinstance(spot, Placeholder):
            for splice in _splices(manifest.text, spot, marks[spot.repository]):
                if splices.setdefault(splice[0], splice) != splice:
                    raise _contradiction(manifest.where(spot))
    if not splices:
        return manifest.text
    text = manifest.text
    for start, end, new in sorted(splices.values(), reverse=True):
        text = text[:start] + new + text[end:]
    prove_comments(manifest.text, text, manifest.path, line_of(manifest.text, min(splices)))
    return text


def _splices(text: str, image: _Image, wanted: str | None) -> list[_Splice]:
    """Remove all marks that may count; set the one that counts, or a new one where there is room for it."""
    marks = list(marks_of(text, image))
    if wanted is None:
        return [(mark.blanks, mark.end, "") for mark in marks]
    if marks:
        first = marks[0]
        blanks = text[first.blanks : first.start]
        return [(first.blanks, first.end, f"{blanks}# held: {wanted}")] if first.reason != wanted else []
    if _obstacle(text, image):
        return []
    end = end_of(image.scalars[0])
    end += len(rest_of_line(text, end).rstrip(BLANKS))  # behind a comment, before the blanks that end the line
    return [(end, end, f" # held: {wanted}")]


def _obstacle(text: str, image: _Image) -> str:
    """Say why no comment can stand behind an image's value, or ""."""
    scalar = image.scalars[0]
    if scalar.style in BLOCKS:
        return f"the value is a block ({scalar.style})"
    return "" if _ROOM.fullmatch(rest_of_line(text, end_of(scalar))) else "more follows on its line"


def _readings(manifest: Manifest, text: str, marks: _Marks) -> Iterator[tuple[_Image, str | None, str | None]]:
    """Yield all images of the file and what their marks say before and after: any of them may have changed."""
    names = _names(manifest.text) | {repository.name: repository for repository in marks}
    before, after = (_images(written, manifest.path, names) for written in (manifest.text, text))
    if [image.reference for image in before] != [image.reference for image in after]:
        raise unproven(manifest.where(manifest.spots[0]), "comments")
    for old, new in zip(before, after, strict=True):
        yield old, mark_of(manifest.text, old), mark_of(text, new)


def _names(text: str) -> dict[str, Repository]:
    """Take every value that can be an image for one: whether it stands in the right field is asked later."""
    names = {}
    for value in {value_of(scalar) for scalar in scalars_of(text)}:
        try:
            repository = ImageReference.parse(value).repository
        except InvalidError:
            continue
        names[repository.name] = repository
    return names


def _images(text: str, path: str, names: dict[str, Repository]) -> list[_Image]:
    return [spot for spot in spots_in(text, path, names) if not isinstance(spot, Placeholder)]


def _effects(manifest: Manifest, text: str, marks: _Marks) -> Iterator[MarkEdit | Unplaced | str]:
    """Yield what the marks did, what they could not do, and the warnings."""
    for image, before, after in _readings(manifest, text, marks):
        repository, where = image.repository, manifest.where(image)
        if before != after and repository not in marks:
            yield f"{where}: this {'holds' if is_hold(after) else 'lets go of'} {repository} as well"
        elif before != after:
            yield MarkEdit(manifest.path, manifest.line(image), repository, before, after)
        if after != marks.get(repository, after):
            obstacle = _obstacle(manifest.text, image)
            if marks[repository] is None or not obstacle:
                raise _contradiction(where)
            yield Unplaced(repository, f"{where}: no comment can stand beside {image.reference}: {obstacle}")


def _contradiction(where: str) -> InvalidError:
    hint = "Give each image a line and a tag of its own, or mark both alike."
    return InvalidError(f"{where}: one comment would have to be two marks", hint)
