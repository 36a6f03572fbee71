"""The images in Helm values, by the shapes that public charts give them.

The shapes are those of 621 values files of 22 public repositories: 980 times `repository`, with a tag, a registry or a
digest; 130 times a whole reference; 74 times `image` and a tag beside it; 10 times `name` in a mapping called `image`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from orbit_release.manifests.helm.compose import ImageLeaves, of_reference
from orbit_release.manifests.helm.leaves import Leaf, Values
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.texts.yaml_nodes import Path

# An image, and the key path that other layers reach it by: `a.image.repository` and `a.image.tag` are at `a.image`.
Placed: TypeAlias = tuple[Path, ImageValue]
_Fields: TypeAlias = Mapping[str, Leaf]

# The keys of a name, and of the tag beside it. `image` and `imageTag`, `jobImage` and `jobImageTag` go by rule.
_PAIRS = (("repository", "tag"), ("image", "tag"), ("imageRepository", "imageTag"), ("imageName", "imageTag"))
_GLOBAL_REGISTRIES = (("global", "imageRegistry"), ("global", "image", "registry"))


def images_in(values: Values) -> Iterator[Placed]:
    """Yield every image in a tree of values, at any depth and key.

    One whose name is "" sets the tag or the digest of an image that other values name, at the same key path.
    """
    registries = (values.get(*path) for path in _GLOBAL_REGISTRIES)
    registry = next((leaf for leaf in registries if leaf and leaf.value), None)
    for path, fields in _mappings(values).items():
        images = _images_of(path, fields, registry)
        yield from ((place, image) for place, image in images if image.name or image.tag_at or image.digest_at)
    for path, leaf in values.leaves.items():
        if path[-2:-1] == ("images",) and isinstance(path[-1], int) and _is_text(leaf):
            yield path, of_reference(leaf)


def _mappings(values: Values) -> dict[Path, dict[str, Leaf]]:
    mappings: defaultdict[Path, dict[str, Leaf]] = defaultdict(dict)
    for path, leaf in values.leaves.items():
        if path and isinstance(path[-1], str) and path not in _GLOBAL_REGISTRIES:
            mappings[path[:-1]][path[-1]] = leaf
    return mappings


def _images_of(path: Path, fields: _Fields, shared: Leaf | None) -> Iterator[Placed]:
    """Yield the images of one mapping: the one that its values make together, and the references in it."""
    is_listed = any(str(key).endswith(("images", "Images")) for key in path[-2:])
    is_image = bool(path) and (is_listed or str(path[-1]).endswith(("image", "Image")))
    name, tag = _pair(fields, is_image=is_image)
    if tag:
        place = path if tag == "tag" and name != "image" else (*path, "image")
        more = {key: fields.get(key) for key in ("digest", "registry", "sha")} if tag == "tag" else {}
        shared = shared if name == "repository" else None
        yield place, ImageLeaves(fields.get(name), fields.get(tag), **more, shared=shared).image
    left = {key: leaf for key, leaf in fields.items() if key not in (name, tag)}
    yield from _references(left, path, is_listed=is_listed and str(path[-1]).endswith("mages"))


def _pair(fields: _Fields, *, is_image: bool) -> tuple[str, str]:
    """Return the keys of an image's name and tag: no name where others give it, no tag where there is no image."""
    named = [(name, tag) for name, tag in _PAIRS if name in fields and _is_text(fields[name])]
    for name, tag in named:
        if tag in fields or (name == "repository" and (is_image or {"digest", "registry"} & fields.keys())):
            return name, tag
    if is_image and {"tag", "digest"} & fields.keys():
        return ("name" if "name" in fields and _is_text(fields["name"]) else ""), "tag"
    return "", ""


def _references(fields: _Fields, path: Path, *, is_listed: bool) -> Iterator[Placed]:
    """Yield the whole references, each with the tag that may stand beside it, and the tags without one.

    `is_listed`: the mapping is called `images`, and has a reference for each key.
    """
    names = {key: leaf for key, leaf in fields.items() if (is_listed or _holds_a_reference(key)) and _is_text(leaf)}
    tags = {key[: -len("Tag")]: leaf for key, leaf in fields.items() if key.endswith(("imageTag", "ImageTag"))}
    for key in dict.fromkeys((*names, *tags)):
        name, tag = names.get(key), tags.get(key)
        yield (*path, key), of_reference(name) if name and not tag else ImageLeaves(name, tag).image


def _holds_a_reference(key: str) -> bool:
    return key == "image" or key.endswith(("Image", "_image", "-image"))


def _is_text(leaf: Leaf) -> bool:
    """Whether it is text, and not empty: `image: true` switches something on."""
    return leaf.is_text and bool(leaf.value)
