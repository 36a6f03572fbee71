"""Point deciding places at new images; no byte outside a tag or a digest ever changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.image_value import Form, Part
from orbit_release.manifests.places import Place
from orbit_release.manifests.texts.text_edits import TextEdits


@dataclass(frozen=True, slots=True)
class NewImage:
    """What to write: `digest` beside the tag everywhere, `refresh` only where a digest stands today.

    Without a tag it is an image that is deployed by its digest alone.
    """

    repository: Repository
    tag: Tag | None
    digest: Digest | None = None
    refresh: Digest | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    path: str
    line: int
    before: ImageReference
    after: ImageReference


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The files that change, with their new bytes, what changed in them, and what is odd about it."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    warnings: tuple[str, ...] = ()


def rewrite(places: Iterable[Place], images: Sequence[NewImage]) -> Rewrite:
    """Point the places of the images' repositories at them; InvalidError where one cannot be edited safely."""
    wanted = _by_repository(images)
    texts, edits, warnings = TextEdits(), list[Edit](), list[str]()
    for place in places:
        new = wanted.get(place.repository)
        after = _after(place, new) if new else place.image.reference
        if new is None or after == place.image.reference:
            continue
        edits.append(Edit(place.image.path, place.image.line, place.image.reference, after))
        warnings += _warnings(place, new, after, wanted)
        for part, text in _parts(place, after):
            if not texts.replace(part.at, part.keep, text):
                message = f"{place.where}: one value would have to hold two tags"
                hint = "Give each image a tag of its own instead of an alias, or bump both alike."
                raise InvalidError(message, hint)
    return Rewrite(texts.files(), tuple(edits), tuple(dict.fromkeys(warnings)))


def _by_repository(images: Sequence[NewImage]) -> dict[Repository, NewImage]:
    wanted = {image.repository: image for image in images}
    for image in images:
        if wanted[image.repository] != image:
            raise InvalidError(f"two different new images for {image.repository}", "Name each repository once.")
    return wanted


def _after(place: Place, new: NewImage) -> ImageReference:
    before, value = place.image.reference, place.value
    digest = new.digest or (new.refresh if before.digest else None)
    has_own_digest = value.digest_at is not None and value.digest_at != value.tag_at
    if before.digest and not digest and has_own_digest:
        message = f"{place.where}: {before.repository} is pinned to a digest, and no new one is given"
        raise InvalidError(message, f"Give the digest as well, {new.tag}@sha256:…, or remove the `digest:` field.")
    if value.tag_at and not new.tag and value.tag_at.form is not Form.REFERENCE:
        message = f"{place.where}: {before.repository} has a tag, and the new image has none"
        raise InvalidError(message, "Remove the field of the tag, or name a tag.")
    if digest and not has_own_digest and value.tag_at and value.tag_at.form is Form.BARE_TAG:
        digest = None  # there is no field for it
    return ImageReference(before.repository, new.tag if value.tag_at else None, digest)


def _parts(place: Place, after: ImageReference) -> Iterator[tuple[Part, str]]:
    """Yield what to write where: a digest stands in a value of its own, else behind the tag."""
    value, before = place.value, place.image.reference
    tag, digest = value.tag_at, value.digest_at
    own_digest = digest if digest != tag else None
    if tag:
        behind = f"@{after.digest}" if after.digest and not own_digest else ""
        if tag.form is Form.REFERENCE:
            kept = before.tag is not None and after.tag is not None  # the colon as well, it may be escaped
            keep = tag.keep + kept
            yield Part(tag.at, tag.form, keep), (after.suffix if own_digest is None else f":{after.tag}")[kept:]
        elif after.tag != before.tag or behind != (f"@{before.digest}" if before.digest and not own_digest else ""):
            yield tag, f"{after.tag}{behind}"
    if own_digest and after.digest and after.digest != before.digest:
        yield own_digest, str(after.digest)


def _warnings(place: Place, new: NewImage, after: ImageReference, wanted: Collection[Repository]) -> Iterator[str]:
    others = sorted(place.others - {repository.name for repository in wanted})
    if place.value.tag_at and place.value.tag_at.form is not Form.REFERENCE:
        yield from (f"{place.where}: this is the tag of {other} as well" for other in others)
    if new.digest and after.digest is None:
        yield f"{place.where}: the digest is left out: there is no `digest:` beside the tag"
