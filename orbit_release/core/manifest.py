"""Find and rewrite image references in Kubernetes YAML bytes; no byte outside a reference ever changes.

A file that does not hold a repository's name is never parsed. What cannot be edited safely is an InvalidError
that starts with `path:line`; `path` is only ever text in messages and results.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.core.fields import Container, KustomizeImage, Placeholder, Spot, find_spots
from orbit_release.core.image import Digest, ImageReference, Repository, Tag
from orbit_release.core.proof import prove
from orbit_release.core.scalar import (
    BREAKS,
    Replacement,
    end_of,
    line_of,
    parse,
    scalars_of,
    span,
    splice,
    start_of,
    value_of,
)
from orbit_release.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from yaml.events import ScalarEvent

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HELD = re.compile(rf"(?<=[ \t])#[ \t]*held:(?=([^{BREAKS}]*))", re.IGNORECASE)
_MAY_HOLD = re.compile(r"held:", re.IGNORECASE)
_BLOCKS = ("|", ">")

NOT_HELD = "no"  # the mark of a person who lets go of what moved backwards
_LINE_REST = re.compile(rf"[^{BREAKS}]*")


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One reference in a manifest; `line` is 1-based; `mark` is the text of a `# held: …` comment beside it."""

    reference: ImageReference
    path: str
    line: int
    mark: str | None

    @property
    def hold(self) -> str | None:
        """The reason of a hold; None without one, and where a person said `# held: no`."""
        return None if self.mark is not None and self.mark.casefold() == NOT_HELD else self.mark


@dataclass(frozen=True, slots=True)
class NewImage:
    """What to write: `digest` beside the tag everywhere, `refresh` only where a digest stands today."""

    repository: Repository
    tag: Tag
    digest: Digest | None = None
    refresh: Digest | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """One changed reference."""

    path: str
    line: int
    before: ImageReference
    after: ImageReference


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A manifest afterwards, what changed in it, and what looked like a reference but was left alone."""

    data: bytes
    edits: tuple[Edit, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Manifest:
    path: str
    bom: bytes
    encoding: str
    text: str
    spots: list[Spot]

    def line(self, spot: Spot) -> int:
        return line_of(self.text, span(self.text, spot.scalars[0])[0])

    def where(self, spot: Spot) -> str:
        return f"{self.path}:{self.line(spot)}"


def find_images(data: bytes, path: str, repositories: Collection[Repository]) -> tuple[FoundImage, ...]:
    """Return the references to the repositories, in the order of the text; placeholders are none."""
    manifest = _read(data, path, repositories)
    return tuple(
        FoundImage(spot.reference, path, manifest.line(spot), _hold(manifest.text, spot))
        for spot in manifest.spots
        if not isinstance(spot, Placeholder)
    )


def rewrite(data: bytes, path: str, images: Sequence[NewImage]) -> Rewrite:
    """Point every reference at its new image; the same bytes when there is nothing to do."""
    wanted = _by_repository(images)
    manifest = _read(data, path, wanted.keys())
    edits: list[Edit] = []
    changes: dict[int, Replacement] = {}
    for spot in manifest.spots:
        if not isinstance(spot, Placeholder):
            after = _after(manifest, spot, wanted[spot.reference.repository])
            if after != spot.reference:
                edits.append(Edit(path, manifest.line(spot), spot.reference, after))
                _add(changes, manifest, spot, after)
    warnings = tuple(_warnings(manifest, wanted, edits))
    return Rewrite(_spliced(manifest, changes.values()) if edits else data, tuple(edits), warnings)


def _by_repository(images: Sequence[NewImage]) -> dict[Repository, NewImage]:
    wanted = {image.repository: image for image in images}
    for image in images:
        if wanted[image.repository] != image:
            raise InvalidError(f"two different new images for {image.repository}", "Name each repository once.")
    return wanted


def _read(data: bytes, path: str, repositories: Collection[Repository]) -> _Manifest:
    names = {repository.name: repository for repository in repositories}
    ascii_ = data.replace(b"\0", b"") if b"\0" in data else data  # names in UTF-16, in whichever order
    if not any(name.encode() in ascii_ for name in names) and b"\\" not in data:
        return _Manifest(path, b"", "", "", [])
    try:
        manifest = _parsed(data, path, names)
    except InvalidError:
        if any(_named(name).search(ascii_) for name in names):
            raise
        return _Manifest(path, b"", "", "", [])
    _refuse_repeated(manifest)
    return manifest


def _may_name(text: str, names: Iterable[str]) -> bool:
    return "\\" in text or any(name in text for name in names)


def _named(name: str) -> re.Pattern[bytes]:
    """Match a whole repository: `…/build` is not named where `…/build-service` stands."""
    whole = rf"(?<![a-zA-Z0-9._/-]){re.escape(name)}(?![a-z0-9/]|[._-]+[a-z0-9])"
    return re.compile(whole.encode())


def _parsed(data: bytes, path: str, names: dict[str, Repository]) -> _Manifest:
    bom, encoding = next((one for one in _BOMS if data.startswith(one[0])), (b"", "utf-8"))
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: len(bom) + error.start].count(b"\n") + 1
        raise InvalidError(f"{path}:{line}: not {encoding.upper()}", "Save the file as UTF-8.") from error
    documents = [one for one in parse(text, path) if _may_name(text[one.start : one.end], names)]
    spots = [spot for document in documents for spot in find_spots(document, names)]
    return _Manifest(path, bom, encoding, text, _once(spots))


def _refuse_repeated(manifest: _Manifest) -> None:
    for spot in manifest.spots:
        if key := spot.repeated:
            message = f"{manifest.path}:{line_of(manifest.text, start_of(key))}: repeated key {key.value!r}"
            raise InvalidError(message, "Remove one of the two: readers disagree about which one counts.")


def _once(spots: Iterable[Spot]) -> list[Spot]:
    """Keep one of the spots that share their scalars through aliases, in the order of the text."""
    unique = {(*map(start_of, spot.scalars), spot.repository.name): spot for spot in spots}
    return sorted(unique.values(), key=lambda spot: start_of(spot.scalars[0]))


def _hold(text: str, spot: Container | KustomizeImage) -> str | None:
    if not _MAY_HOLD.search(text):
        return None
    names = spot.names if isinstance(spot, KustomizeImage) else ()
    reasons = (_hold_of(text, scalar) for scalar in (*spot.scalars, *names))
    return next((reason for reason in reasons if reason is not None), None)


def _hold_of(text: str, scalar: ScalarEvent) -> str | None:
    """Look beside a value, beside the header of a block, and beside the aliases that stand for it."""
    reason = _hold_beside(text, start_of(scalar) if scalar.style in _BLOCKS else end_of(scalar))
    aliases = re.finditer(rf"\*{re.escape(scalar.anchor)}(?=[ \t])", text) if scalar.anchor else ()
    beside = (_hold_beside(text, alias.end()) for alias in aliases)
    return reason if reason is not None else next((one for one in beside if one is not None), None)


def _hold_beside(text: str, end: int) -> str | None:
    rest = _LINE_REST.match(text, end)
    comments = _HELD.finditer(text, end, rest.end() if rest else end)
    return next((one[1].strip() for one in comments if not _is_quoted(text, end, one.start())), None)


def _is_quoted(text: str, value_end: int, position: int) -> bool:
    """Whether a `#` behind a value belongs to the next value of a flow mapping; only quotes can hide one."""
    if not any(quote in text[value_end:position] for quote in "'\""):
        return False
    return any(start_of(one) <= position < end_of(one) for one in scalars_of(text))


def _after(manifest: _Manifest, spot: Container | KustomizeImage, new: NewImage) -> ImageReference:
    before = spot.reference
    digest = new.digest or (new.refresh if before.digest else None)
    if isinstance(spot, Container):
        return ImageReference(before.repository, new.tag, digest)
    if before.digest and not digest:
        message = f"{manifest.where(spot)}: {before.repository} is pinned to a digest, and no new one is given"
        raise InvalidError(message, f"Give the digest as well, {new.tag}@sha256:…, or remove the `digest:` field.")
    if digest and not spot.digest:
        message = f"{manifest.where(spot)}: {before.repository} has no field for a digest"
        raise InvalidError(message, "Add a `digest:` field to this entry, or leave the digest out.")
    return ImageReference(before.repository, new.tag if spot.tag else None, digest)


def _add(
    changes: dict[int, Replacement], manifest: _Manifest, spot: Container | KustomizeImage, after: ImageReference
) -> None:
    for change in _replacements(spot, after):
        if changes.setdefault(start_of(change.scalar), change) != change:
            message = f"{manifest.where(spot)}: one value would have to hold two tags"
            raise InvalidError(message, "Give each image a tag of its own instead of an alias, or bump both alike.")


def _replacements(spot: Container | KustomizeImage, after: ImageReference) -> list[Replacement]:
    before = spot.reference
    if isinstance(spot, Container):
        keep = len(before.repository.name) + bool(before.tag)  # the colon as well, it may be escaped
        return [Replacement(spot.image, keep, str(after)[keep:])]
    fields = ((spot.tag, before.tag, after.tag), (spot.digest, before.digest, after.digest))
    return [Replacement(scalar, 0, str(new)) for scalar, old, new in fields if scalar and new not in (None, old)]


def _warnings(manifest: _Manifest, wanted: Collection[Repository], edits: Sequence[Edit]) -> Iterable[str]:
    changed = {(edit.line, edit.before.repository) for edit in edits}
    bumped = {repository.name for repository in wanted}
    for spot in manifest.spots:
        if isinstance(spot, Placeholder):
            yield f"{manifest.where(spot)}: {value_of(spot.image)!r} is not edited: it holds no plain tag"
        elif (manifest.line(spot), spot.repository) in changed and isinstance(spot, KustomizeImage):
            for other in sorted(spot.others - bumped):
                yield f"{manifest.where(spot)}: this is the tag of {other} as well, through an alias"


def _spliced(manifest: _Manifest, changes: Collection[Replacement]) -> bytes:
    text = splice(manifest.text, manifest.path, changes)
    prove(manifest.text, text, changes, manifest.path)
    return manifest.bom + text.encode(manifest.encoding)
