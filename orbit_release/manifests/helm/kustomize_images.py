"""Images that Argo CD and Flux set by kustomize, outside of a kustomization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from orbit_release.manifests.helm.compose import ImageLeaves, checked
from orbit_release.manifests.helm.leaves import Leaf, Values
from orbit_release.manifests.image_value import Form, ImageValue, Part, cut

_SAME = "*"  # what kustomize reads as: leave it as the kustomization has it


@dataclass(frozen=True, slots=True)
class ImageOverride:
    """What is set on every image called `original`; the value's name is "" where the name stays what it was."""

    original: str
    image: ImageValue


def override_strings(values: Values, *under: str | int) -> Iterator[ImageOverride]:
    """Read a list of `[NAME=]NEWNAME[:TAG][@DIGEST]`, of which the last for an image counts.

    As `kustomize edit set image` does, which Argo CD calls: https://argo-cd.readthedocs.io/en/stable/user-guide/kustomize/
    """
    overrides: dict[str, ImageOverride] = {}
    for item in values.items(*under):
        if leaf := item.get():
            override = _override(leaf)
            overrides[override.original] = override
    yield from overrides.values()


def override_entries(values: Values, *under: str | int) -> Iterator[ImageOverride]:
    """Read a list of entries with name, newName, newTag and digest, as a kustomization's `images`."""
    for item in values.items(*under):
        original, new_name = item.get("name"), item.get("newName")
        if original:
            named = new_name or original
            image = ImageLeaves(named, item.get("newTag"), item.get("digest")).image
            yield ImageOverride(original.value, replace(image, name=image.name if new_name else ""))


def _override(leaf: Leaf) -> ImageOverride:
    original, equals, new = leaf.value.rpartition("=")
    name, tag, digest = cut(new)
    part = Part(leaf.at, Form.REFERENCE, len(original) + len(equals) + len(name))
    image = ImageValue(
        "" if name == _SAME else name,
        "" if tag == _SAME else tag,
        "" if digest == _SAME else digest,
        tag_at=part if (tag or digest) and tag != _SAME else None,
        digest_at=part if digest and digest != _SAME else None,
        beside=(leaf.at,),
        overridden=leaf.overridden,
    )
    return ImageOverride(original or name, checked(image, [leaf]))
