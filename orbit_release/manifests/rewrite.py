"""Find and rewrite image references in Kubernetes YAML bytes; no byte outside a reference ever changes.

A file that does not hold a repository's name is never parsed. What cannot be edited safely is an InvalidError
that starts with `path:line`; `path` is only ever text in messages and results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.image_fields import Container, Image, KustomizeImage, Placeholder
from orbit_release.manifests.manifest import Manifest, read_manifest
from orbit_release.manifests.mark import is_hold, mark_of
from orbit_release.manifests.proof import prove
from orbit_release.manifests.splice import Replacement, splice
from orbit_release.manifests.yaml_nodes import start_of, value_of


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One reference in a manifest; `line` is from 1; `mark` is the text of a `# held: …` comment beside it."""

    reference: ImageReference
    path: str
    line: int
    mark: str | None

    @property
    def hold(self) -> str | None:
        return self.mark if is_hold(self.mark) else None


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
    """A manifest afterwards, what changed in it, and what looked like a reference but was left alone."""

    data: bytes
    edits: tuple[Edit, ...]
    warnings: tuple[str, ...]


def find_images(data: bytes, path: str, repositories: Collection[Repository]) -> tuple[FoundImage, ...]:
    """Return the references to the repositories, in the order of the text; placeholders are none."""
    manifest = read_manifest(data, path, repositories)
    return tuple(
        FoundImage(image.reference, path, manifest.line(image), mark_of(manifest.text, image))
        for image in manifest.images
    )


def rewrite(data: bytes, path: str, images: Sequence[NewImage]) -> Rewrite:
    """Point every reference at its new image; the same bytes when there is nothing to do."""
    wanted = _by_repository(images)
    manifest = read_manifest(data, path, wanted.keys())
    edits: list[Edit] = []
    changes: dict[int, Replacement] = {}
    for image in manifest.images:
        after = _after(manifest, image, wanted[image.repository])
        if after == image.reference:
            continue
        edits.append(Edit(path, manifest.line(image), image.reference, after))
        for change in _replacements(image, after):
            if changes.setdefault(start_of(change.scalar), change) != change:
                message = f"{manifest.where(image)}: one value would have to hold two tags"
                hint = "Give each image a tag of its own instead of an alias, or bump both alike."
                raise InvalidError(message, hint)
    if edits:
        text = splice(manifest.text, path, changes.values())
        prove(manifest.text, text, changes.values(), path)
        data = manifest.encoded(text)
    return Rewrite(data, tuple(edits), tuple(_warnings(manifest, wanted, edits)))


def _by_repository(images: Sequence[NewImage]) -> dict[Repository, NewImage]:
    wanted = {image.repository: image for image in images}
    for image in images:
        if wanted[image.repository] != image:
            raise InvalidError(f"two different new images for {image.repository}", "Name each repository once.")
    return wanted


def _after(manifest: Manifest, image: Image, new: NewImage) -> ImageReference:
    before = image.reference
    digest = new.digest or (new.refresh if before.digest else None)
    if isinstance(image, Container):
        return ImageReference(before.repository, new.tag, digest)
    if before.digest and not digest:
        message = f"{manifest.where(image)}: {before.repository} is pinned to a digest, and no new one is given"
        raise InvalidError(message, f"Give the digest as well, {new.tag}@sha256:…, or remove the `digest:` field.")
    if digest and not image.digest:
        message = f"{manifest.where(image)}: {before.repository} has no field for a digest"
        raise InvalidError(message, "Add a `digest:` field to this entry, or leave the digest out.")
    if image.tag and not new.tag:
        message = f"{manifest.where(image)}: {before.repository} has a tag, and the new image has none"
        raise InvalidError(message, "Remove the `newTag:` field from this entry, or name a tag.")
    return ImageReference(before.repository, new.tag if image.tag else None, digest)


def _replacements(image: Image, after: ImageReference) -> list[Replacement]:
    before = image.reference
    if isinstance(image, Container):
        keep = len(before.repository.name) + bool(before.tag and after.tag)  # the colon as well, it may be escaped
        return [Replacement(image.image, keep, str(after)[keep:])]
    fields = ((image.tag, before.tag, after.tag), (image.digest, before.digest, after.digest))
    return [Replacement(scalar, 0, str(new)) for scalar, old, new in fields if scalar and new not in (None, old)]


def _warnings(manifest: Manifest, wanted: Collection[Repository], edits: Sequence[Edit]) -> Iterator[str]:
    changed = {(edit.line, edit.before.repository) for edit in edits}
    bumped = {repository.name for repository in wanted}
    for spot in manifest.spots:
        if isinstance(spot, Placeholder):
            yield f"{manifest.where(spot)}: {value_of(spot.image)!r} is not edited: it holds no plain tag"
        elif (manifest.line(spot), spot.repository) in changed and isinstance(spot, KustomizeImage):
            for other in sorted(spot.others - bumped):
                yield f"{manifest.where(spot)}: this is the tag of {other} as well, through an alias"
