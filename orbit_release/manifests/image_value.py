"""An image as the layers of an entry make it, and where each part of it is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from orbit_release.manifests.texts.written import Written


class Form(Enum):
    """How a value holds a tag or a digest."""

    REFERENCE = "NAME[:TAG][@DIGEST]"  # `image:` of a container
    TAG = "TAG[@DIGEST]"  # `newTag:` of a kustomization
    BARE_TAG = "TAG"  # `tag:` of Helm values: templates put it behind a colon, and may cut it there
    DIGEST = "DIGEST"


@dataclass(frozen=True, slots=True)
class Part:
    """Where a tag, a digest, or both are written: behind the first `keep` characters of a value."""

    at: Written
    form: Form
    keep: int = 0


@dataclass(frozen=True, slots=True)
class ImageValue:
    """An image of a rendered object: its parts as text ("" for none), valid or not.

    `tag_at` is what decides the tag, or the value that a tag would be appended to; `digest_at` what decides the
    digest. Both may be one value. `beside` are more values of the deciding place, `overridden` the values that the
    outer layers replaced: a mark may stand beside any of them. `unclear` says why the image is not certain, each as
    `path:line: why`.
    """

    name: str
    tag: str = ""
    digest: str = ""
    tag_at: Part | None = None
    digest_at: Part | None = None
    beside: tuple[Written, ...] = ()
    overridden: tuple[Written, ...] = ()
    unclear: tuple[str, ...] = ()

    @classmethod
    def of_reference(cls, at: Written) -> ImageValue:
        """Read a whole reference, as kustomize cuts it: a colon before the first slash is a port's."""
        name, tag, digest = cut(at.value)
        part = Part(at, Form.REFERENCE, len(name))
        return cls(name, tag, digest, part, part if digest else None)

    @property
    def text(self) -> str:
        """The reference as it is rendered."""
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def scalars(self) -> tuple[Written, ...]:
        """The values of the deciding place: the tag's, the digest's, and those beside them, each once."""
        return tuple(dict.fromkeys((*self.deciders, *self.beside)))

    @property
    def deciders(self) -> tuple[Written, ...]:
        """The values that hold the tag and the digest; none where there is nothing to edit."""
        return tuple(dict.fromkeys(part.at for part in (self.tag_at, self.digest_at) if part))

    @property
    def decider(self) -> Written | None:
        """The value that decides which image it is: the tag's, else the digest's."""
        return next(iter(self.deciders), None)

    def but_unclear(self, why: str) -> ImageValue:
        return replace(self, unclear=(*self.unclear, why))

    def but_repeated(self, key: Written | None) -> ImageValue:
        """Return it, unclear where a key on the way to it stands twice."""
        if key is None:
            return self
        return self.but_unclear(f"{key.where}: repeated key {key.value!r}: readers disagree which one counts")


def cut(reference: str) -> tuple[str, str, str]:
    """Cut a reference into name, tag and digest, whatever they hold; "" for what it lacks.

    As kustomize does (api/internal/image, Split): only behind the first slash a colon begins a tag.
    """
    host, slash, rest = reference.partition("/")
    if not slash or not host:
        host, slash, rest = "", "", reference
    rest, _, digest = rest.partition("@")
    path, _, tag = rest.partition(":")
    return f"{host}{slash}{path}", tag, digest
