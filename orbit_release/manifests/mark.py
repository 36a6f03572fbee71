"""The marks of holds in a manifest: `# held: why` beside an image's value, or beside what stands for it.

A mark is put and removed without a change to any byte outside a comment. What cannot be edited safely is an
InvalidError that starts with `path:line`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference, Repository
from orbit_release.manifests import yaml_nodes as nodes
from orbit_release.manifests.image_fields import Image, KustomizeImage
from orbit_release.manifests.manifest import Manifest, read_manifest, spots_in
from orbit_release.manifests.proof import prove_comments, unproven

_BLANKS = " \t"
_BLOCKS = ("|", ">")  # the styles of scalars that end on another line than their comment stands on
_HELD = re.compile(rf"(?<=[{_BLANKS}])#[{_BLANKS}]*held:(?=([^{nodes.BREAKS}]*))", re.IGNORECASE)
_MAY_HOLD = re.compile(r"held:", re.IGNORECASE)
_ROOM = re.compile(rf"[{_BLANKS}]*(?:#.*)?", re.DOTALL)
# The marks that let go of what moved back; a reason of these words would be one of them.
_LETS_GO = re.compile(r"no(?:, after [0-9a-f]{7,64})?", re.IGNORECASE)
_HINT = "Say in one line why automation should leave the service alone."

_Marks: TypeAlias = Mapping[Repository, str | None]
_Splice: TypeAlias = tuple[int, int, str]  # text[start:end] becomes the new one


@dataclass(frozen=True, slots=True)
class _Mark:
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
    _require_line(reason)
    if not is_hold(reason):
        raise InvalidError(f"{text!r} is no reason: the mark `# held: no` lets go of a service", _HINT)
    return reason


def _require_line(text: str) -> None:
    """Raise InvalidError unless a text can be a mark's."""
    if not text or text != text.strip() or not text.isprintable():
        raise InvalidError(f"{text!r} is not one line of printable text", _HINT)


def mark_of(text: str, image: Image) -> str | None:
    """Return what the mark that counts for an image says."""
    return next((mark.reason for mark in _marks_of(text, image)), None)


def _marks_of(text: str, image: Image) -> Iterator[_Mark]:
    """Yield the marks beside an image, the one that counts first."""
    names = image.names if isinstance(image, KustomizeImage) else ()
    for scalar in (*image.scalars, *names):
        for end in _ends(text, scalar):
            yield from _marks_beside(text, end)


def _ends(text: str, scalar: nodes.Scalar) -> Iterator[int]:
    """Look beside a value, beside the header of a block, and beside the aliases that stand for it."""
    yield nodes.start_of(scalar) if scalar.style in _BLOCKS else nodes.end_of(scalar)
    if scalar.anchor and _MAY_HOLD.search(text):  # looking for aliases parses the whole text
        yield from nodes.aliases_of(text, scalar)


def _marks_beside(text: str, value_end: int) -> Iterator[_Mark]:
    """Yield the first mark on the rest of the line: all that follows it there is what it says."""
    for match in _HELD.finditer(text, value_end, value_end + len(nodes.rest_of_line(text, value_end))):
        if not _is_quoted(text, value_end, match.start()):
            blanks = value_end + len(text[value_end : match.start()].rstrip(_BLANKS))
            end = match.start() + len(text[match.start() : match.end(1)].rstrip(_BLANKS))
            yield _Mark(blanks, match.start(), end, match[1].strip())
            return


def _is_quoted(text: str, value_end: int, position: int) -> bool:
    """Whether a `#` behind a value belongs to the next value of a flow mapping; only quotes can hide one."""
    if not any(quote in text[value_end:position] for quote in "'\""):
        return False
    return any(nodes.start_of(scalar) <= position < nodes.end_of(scalar) for scalar in nodes.scalars_of(text))


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
    """A manifest afterwards.

    `warnings` are `path:line: why`, for each image that was marked, or let go of, although nobody asked for it,
    because it shares a value or a line with one that was meant.
    """

    data: bytes
    edits: tuple[MarkEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    warnings: tuple[str, ...] = ()


def mark(data: bytes, path: str, marks: _Marks) -> Marked:
    """Make the marks beside all images of the repositories say a text, or remove them (None)."""
    for wanted in marks.values():
        if wanted is not None:
            _require_line(wanted)
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
    for image in manifest.images:
        for splice in _splices(manifest.text, image, marks[image.repository]):
            if splices.setdefault(splice[0], splice) != splice:
                raise _contradiction(manifest.where(image))
    if not splices:
        return manifest.text
    text = manifest.text
    for start, end, new in sorted(splices.values(), reverse=True):
        text = text[:start] + new + text[end:]
    prove_comments(manifest.text, text, manifest.path, nodes.line_of(manifest.text, min(splices)))
    return text


def _splices(text: str, image: Image, wanted: str | None) -> list[_Splice]:
    """Remove all marks that may count; set the one that counts, or a new one where there is room for it."""
    marks = list(_marks_of(text, image))
    if wanted is None:
        return [(mark.blanks, mark.end, "") for mark in marks]
    if marks:
        first = marks[0]
        blanks = text[first.blanks : first.start]
        return [(first.blanks, first.end, f"{blanks}# held: {wanted}")] if first.reason != wanted else []
    if _obstacle(text, image):
        return []
    end = nodes.end_of(image.scalars[0])
    end += len(nodes.rest_of_line(text, end).rstrip(_BLANKS))  # behind a comment, before the blanks that end the line
    return [(end, end, f" # held: {wanted}")]


def _obstacle(text: str, image: Image) -> str:
    """Say why no comment can stand behind an image's value, or ""."""
    scalar = image.scalars[0]
    if scalar.style in _BLOCKS:
        return f"the value is a block ({scalar.style})"
    return "" if _ROOM.fullmatch(nodes.rest_of_line(text, nodes.end_of(scalar))) else "more follows on its line"


def _readings(manifest: Manifest, text: str, marks: _Marks) -> Iterator[tuple[Image, str | None, str | None]]:
    """Yield all images of the file and what their marks say before and after: any of them may have changed."""
    names = _names(manifest.text) | {repository.name: repository for repository in marks}
    before, after = (
        Manifest(manifest.path, written, spots=spots_in(written, manifest.path, names)).images
        for written in (manifest.text, text)
    )
    if [image.reference for image in before] != [image.reference for image in after]:
        raise unproven(manifest.where(manifest.spots[0]), "comments")
    for old, new in zip(before, after, strict=True):
        yield old, mark_of(manifest.text, old), mark_of(text, new)


def _names(text: str) -> dict[str, Repository]:
    """Take every value that can be an image for one: whether it stands in the right field is asked later."""
    references = map(ImageReference.read, {nodes.value_of(scalar) for scalar in nodes.scalars_of(text)})
    return {reference.repository.name: reference.repository for reference in references if reference}


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
