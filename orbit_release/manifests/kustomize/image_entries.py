"""The `images:` of a kustomization: which images they match, and what they make of them.

The rules are those of kustomize's image tag transformer (api/filters/imagetag, api/internal/image).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orbit_release.manifests.image_value import Form, ImageValue, Part, cut
from orbit_release.manifests.kustomize.field_paths import KustomizeSpec
from orbit_release.manifests.kustomize.fields import Fields, fault, is_string
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Path

_TAG = re.compile(r":[a-zA-Z0-9_.{}-]*\Z")
_DIGEST = re.compile(r"@sha256:[a-zA-Z0-9_.{}-]*\Z")
_PATTERN = re.compile(r"[\\^$*+?()|\[\]{}]")
IMAGE = frozenset({"name", "newname", "newtag", "digest", "tagsuffix"})  # the keys of an entry
_OPTIONAL = "*?{"  # what may leave out the character before it
_PARTS = ("newName", "newTag", "digest", "tagSuffix")
_COUNT = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
_LISTS = ("containers", "initContainers")
_VOLUME = ("volumes", "image", "reference")


@dataclass(frozen=True, slots=True, eq=False)
class ImageEntry:
    """An entry of `images:`, or of an ImageTagTransformer, whose own `specs` name more fields."""

    name: Written
    new_name: Written | None = None
    new_tag: Written | None = None
    digest: Written | None = None
    tag_suffix: Written | None = None
    specs: tuple[KustomizeSpec, ...] = ()
    is_number: bool = False

    @classmethod
    def read(cls, fields: Fields) -> ImageEntry:
        name = fields.written("name")
        if name is None:
            raise fault(fields.text, fields.node, "an entry of images: without a name")
        new_name, new_tag, digest, suffix = map(fields.written, _PARTS)
        return cls(name, new_name, new_tag, digest, suffix)

    @classmethod
    def of_transformer(cls, fields: Fields, specs: tuple[KustomizeSpec, ...]) -> ImageEntry:
        """Read the entry of an ImageTagTransformer, where kustomize makes text of numbers."""
        known = [fields.scalar(key) for key in ("name", *_PARTS)]
        name, new_name, new_tag, digest, suffix = known
        if name is None:
            raise fault(fields.text, fields.node, "an ImageTagTransformer without a name")
        is_number = any(part and not is_string(part.scalar) and not _COUNT.fullmatch(part.value) for part in known)
        return cls(name, new_name, new_tag, digest, suffix, specs, is_number)

    @property
    def where(self) -> str:
        return self.name.where

    @property
    def names(self) -> tuple[Written, ...]:
        return tuple(filter(None, (self.name, self.new_name)))

    @property
    def pattern(self) -> str | None:
        """What an image begins with that the name, a regular expression, may match; None for a plain name."""
        name = self.name.value
        match = _PATTERN.search(name)
        if match is None:
            return None
        end = match.start() - (match[0] in _OPTIONAL)
        return "" if "|" in name or "^" in name else name[: max(end, 0)].partition(".")[0]

    @property
    def unmatched(self) -> ImageValue:
        """The image that it would make of one without tag and digest."""
        return self.applied(ImageValue(self.name.value))

    def applied(self, value: ImageValue) -> ImageValue:
        """Return what becomes of an image that it matches."""
        new = self._tagged(self._named(value))
        if self.tag_suffix and not self.new_tag and not self.digest:
            new = new.but_unclear(f"{self.where}: tagSuffix makes the tag")
        if self.name.value != value.name and (self.new_name or not (self.new_tag or self.digest)):
            new = new.but_unclear(f"{self.where}: the name holds a tag, and matches no other")
        if self.is_number:
            new = new.but_unclear(f"{self.where}: a number is no certain text: put it in quotes")
        if cut(new.text) != (new.name, new.tag, new.digest):
            new = new.but_unclear(f"{self.where}: {new.text} is no image")
        return new

    def _named(self, value: ImageValue) -> ImageValue:
        if not self.new_name:
            return replace(value, beside=(*value.beside, self.name))
        name, tag, digest = cut(self.new_name.value)
        if self.new_tag or self.digest or not (tag or digest):
            return replace(value, name=name, beside=(*value.beside, *self.names))
        # Kustomize applies an entry twice to most fields, which only a name with a tag shows.
        if value.tag or (digest and value.digest) or name == value.name:
            why = f"{self.where}: newName holds a tag or a digest, and another stands beside it"
            return replace(value, name=self.new_name.value).but_unclear(why)
        part = Part(self.new_name, Form.REFERENCE, len(name))
        digest_at = part if digest else value.digest_at
        lost = (at for at in value.scalars if not value.digest_at or at != value.digest_at.at)
        over = (*value.overridden, *lost)
        return ImageValue(name, tag, digest or value.digest, part, digest_at, self.names, over, value.unclear)

    def _tagged(self, value: ImageValue) -> ImageValue:
        tag, digest = self.new_tag, self.digest
        if not tag and not digest:
            return value
        if value.tag_at and cut(self.name.value)[1]:
            # It matches one tag only: the image's own value decides as soon as it says another one.
            text, sha = tag.value if tag else "", digest.value if digest else ""
            return replace(value, tag=text, digest=sha, overridden=(*value.overridden, *filter(None, (tag, digest))))
        _, own_tag, own_digest = cut(self.new_name.value if self.new_name else "")
        over = (*value.overridden, *(at for at in value.scalars if at not in (tag, digest, *self.names)))
        if own_digest or (own_tag and tag):
            why = f"{self.where}: newName holds a tag or a digest, and another stands beside it"
            return replace(value, unclear=(*value.unclear, why), overridden=over)
        text, _, inner = tag.value.partition("@") if tag else (own_tag, "", "")
        tag_at = Part(tag, Form.TAG) if tag else None
        if own_tag and self.new_name:
            tag_at = Part(self.new_name, Form.REFERENCE, len(value.name))
        digest_at = Part(digest, Form.DIGEST) if digest else Part(tag, Form.TAG) if tag and inner else None
        new = ImageValue(value.name, text, digest.value if digest else inner, tag_at, digest_at)
        new = replace(new, beside=self.names, overridden=over, unclear=value.unclear)
        return new.but_unclear(f"{self.where}: two digests") if digest and inner else new


def read_entries(text: Text, root: MappingNode, used: set[int]) -> ImageEntries:
    """Read the `images` of a kustomization; InvalidError where kustomize would refuse one."""
    listed = Fields.read(text, root, "a kustomization").mappings("images", IMAGE)
    return ImageEntries([ImageEntry.read(entry) for entry in listed if entry.written("name")], used)


class ImageEntries:
    """Entries that are applied one after another: a later one may match what an earlier one renamed.

    `used` gets the identities of those that an image matched.
    """

    def __init__(self, entries: Sequence[ImageEntry], used: set[int]) -> None:
        self.entries, self.used = entries, used
        self._by_name: dict[str, list[int]] = {}
        self._patterns: list[tuple[int, str]] = []
        for number, entry in enumerate(entries):
            if (prefix := entry.pattern) is None:
                self._by_name.setdefault(entry.name.value, []).append(number)
            else:
                self._patterns.append((number, prefix))

    def applied(self, value: ImageValue) -> ImageValue:
        """Return what becomes of an image that kustomize's transformer reaches."""
        at = -1
        while (at := self._next(value, at)) >= 0:
            entry = self.entries[at]
            self.used.add(id(entry))
            if entry.pattern is None:
                value = entry.applied(value)
            else:
                value = value.but_unclear(f"{entry.where}: the name is a pattern")
        if value.digest and value.name in self._by_name and not _DIGEST.search(value.text):
            return value.but_unclear(f"{self._first(value.name).where}: only newer versions change such a digest")
        return value

    def _first(self, name: str) -> ImageEntry:
        return self.entries[self._by_name[name][0]]

    def reaching(self, path: Path, value: ImageValue) -> ImageValue:
        """Return what becomes of the image at a path of an object."""
        if is_container(path):
            return self.applied(value)
        return self.beyond(value) if is_volume(path) else value

    def beyond(self, value: ImageValue) -> ImageValue:
        """Return an image that only some versions of kustomize reach."""
        at = self._next(value, -1)
        if at < 0:
            return value
        self.used.add(id(self.entries[at]))
        return value.but_unclear(f"{self.entries[at].where}: only newer versions of kustomize change this image")

    def _next(self, value: ImageValue, after: int) -> int:
        text = value.text
        numbers = [at for name in candidates(text) if (at := _above(self._by_name.get(name, ()), after)) >= 0]
        for number, prefix in self._patterns:
            if number > after and text.startswith(prefix):
                numbers.append(number)
                break
        return min(numbers, default=-1)


def _above(numbers: Sequence[int], after: int) -> int:
    at = bisect_right(numbers, after)
    return numbers[at] if at < len(numbers) else -1


def candidates(reference: str) -> Iterator[str]:
    """Yield the names that match a reference: it is the name, maybe with a tag and a digest behind it."""
    yield reference
    digest = _DIGEST.search(reference)
    for text in (reference, *([reference[: digest.start()]] if digest else ())):
        if text is not reference:
            yield text
        if tag := _TAG.search(text):
            yield text[: tag.start()]


def is_container(path: Path) -> bool:
    """Whether kustomize's transformer reaches a field: `image` in a list of containers, at any depth."""
    return len(path) >= 3 and path[-1] == "image" and isinstance(path[-2], int) and path[-3] in _LISTS  # noqa: PLR2004


def is_volume(path: Path) -> bool:
    """Whether newer versions reach it, from 5.8 on: the image of a volume."""
    return tuple(part for part in path[-4:] if isinstance(part, str)) == _VOLUME
