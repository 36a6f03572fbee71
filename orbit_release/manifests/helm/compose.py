"""One image out of the values that say its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from orbit_release.manifests.helm.leaves import Leaf
from orbit_release.manifests.image_value import Form, ImageValue, Part, cut

# A text that a place gives, and the place; an empty text where one can be written.
_Given: TypeAlias = tuple[str, Part | None]


@dataclass(frozen=True, slots=True)
class ImageLeaves:
    """The values that make one image together; `shared` is the registry that a chart gives all its images."""

    name: Leaf | None = None
    tag: Leaf | None = None
    digest: Leaf | None = None
    registry: Leaf | None = None
    sha: Leaf | None = None  # the digest without `sha256:`, as charts of the Prometheus community have it
    shared: Leaf | None = None

    @property
    def image(self) -> ImageValue:
        """The image; its name is "" where no name is given.

        `digest_at` is set for an empty place too, `digest: ""`: a digest can be written there. Nothing can be written
        behind a key without any text.
        """
        tag, tag_at = self._first(self._tags)
        digest, digest_at = self._first(self._digests)
        image = ImageValue(
            self._full_name,
            tag,
            digest,
            tag_at=tag_at,
            digest_at=digest_at,
            beside=tuple(leaf.at for leaf in (self.name, self.registry) if leaf and leaf.value),
            overridden=tuple(at for leaf in self._leaves for at in leaf.overridden),
        )
        return checked(image, self._leaves, self._doubts())

    @property
    def _leaves(self) -> list[Leaf]:
        leaves = (self.name, self.tag, self.digest, self.registry, self.sha)
        return [leaf for leaf in leaves if leaf]

    @property
    def _tags(self) -> list[_Given]:
        _, tag, digest = cut(_text(self.name))
        own = [(tag, self._own)] if tag or digest else []
        return [(_text(self.tag).partition("@")[0], _place(self.tag, Form.TAG)), *own]

    @property
    def _digests(self) -> list[_Given]:
        """The places of a digest; a key of its own comes first, as Bitnami's charts have it."""
        own = (cut(_text(self.name))[2], self._own)
        beside = (_text(self.tag).partition("@")[2], _place(self.tag, Form.TAG))
        return [(_text(self.digest), _place(self.digest, Form.DIGEST)), *(given for given in (beside, own) if given[0])]

    @property
    def _own(self) -> Part | None:
        """Where the name holds a tag or a digest of its own."""
        return Part(self.name.at, Form.REFERENCE, len(cut(self.name.value)[0])) if self.name else None

    @staticmethod
    def _first(givens: list[_Given]) -> _Given:
        """Return the first text and its place, else the first empty place."""
        return next((given for given in givens if given[0]), next((given for given in givens if given[1]), ("", None)))

    @property
    def _full_name(self) -> str:
        """The name with its registry: a shared one goes first (so Bitnami, Grafana and the Prometheus community)."""
        name = cut(_text(self.name))[0]
        registry = _text(self.registry)
        if self.shared and (registry or not _has_host(name)):
            registry = self.shared.value
        return "/".join(filter(None, (registry.rstrip("/"), name))) if name else ""

    def _doubts(self) -> Iterator[str]:
        if self.sha and self.sha.value:
            yield f"{self.sha.at.where}: `sha` holds a digest, which is not edited"
        for givens, what in ((self._tags, "tag"), (self._digests, "digest")):
            places = [part.at.where for text, part in givens if text and part]
            if len(places) > 1:
                yield f"{places[0]}: another {what} of this image is at {places[1]}"
        yield from self._doubts_of_registry()

    def _doubts_of_registry(self) -> Iterator[str]:
        if self.shared is None or not self.name:
            return
        registry = _text(self.registry)
        if registry != self.shared.value and (registry or _has_host(self.name.value)):
            why = f"the chart may put the registry of {self.shared.at.where} before it"
            yield f"{self.name.at.where}: {why}"


def of_reference(leaf: Leaf) -> ImageValue:
    """Read a whole reference. Behind a name alone nothing is written: the chart's templates may add a tag."""
    image = ImageValue.of_reference(leaf.at)
    if not image.tag and not image.digest:
        image = replace(image, tag_at=None, beside=(leaf.at,))
    return checked(replace(image, overridden=leaf.overridden), [leaf])


def checked(image: ImageValue, leaves: list[Leaf], doubts: Iterator[str] | tuple[()] = ()) -> ImageValue:
    """Say why the image is not certain, or not to be edited: a block of values is a text in a text."""
    faults = [leaf.fault for leaf in leaves if leaf.fault]
    parts = [part.at for part in (image.tag_at, image.digest_at) if part and part.at.value]
    blocks = [f"{at.where}: these values are a block of text, which is not edited" for at in parts if at.text.inside]
    return replace(image, unclear=tuple(dict.fromkeys((*image.unclear, *faults, *doubts, *blocks))))


def _text(leaf: Leaf | None) -> str:
    return leaf.value if leaf else ""


def _place(leaf: Leaf | None, form: Form) -> Part | None:
    """Return where a value is written; an empty one can be replaced in quotes only."""
    if leaf is None or (leaf.is_null and form is Form.TAG) or not (leaf.at.scalar.value or leaf.at.scalar.style):
        return None
    return Part(leaf.at, form)


def _has_host(name: str) -> bool:
    """Whether a name starts with a registry, as Docker tells: by a dot or a port."""
    host, slash, _ = name.partition("/")
    return bool(slash) and (host == "localhost" or "." in host or ":" in host)
