"""The images of a file that is applied as it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orbit_release.manifests.entries.files import ParsedFile
from orbit_release.manifests.image_value import Form, ImageValue, Part
from orbit_release.manifests.object_images import FieldSpec, image_fields, reached_at
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar, SequenceNode

_KUSTOMIZATIONS = {"", "Kustomization", "Component"}
_KUSTOMIZE_GROUP = "kustomize.config.k8s.io/"


def plain_images(file: ParsedFile, specs: Sequence[FieldSpec] = ()) -> Iterator[ImageValue]:
    """Yield the images of a file's objects, and those that a kustomization in it names."""
    for obj in file.objects:
        yield from object_images(obj, file.text, specs)
    for document in file.documents:
        yield from kustomize_images(document.root, file.text)


def object_images(obj: MappingNode, text: Text, specs: Sequence[FieldSpec] = ()) -> Iterator[ImageValue]:
    for image in image_fields(obj, specs):
        repeated = Written(text, image.repeated) if image.repeated else None
        yield ImageValue.of_reference(Written(text, image.scalar)).but_repeated(repeated)


def kustomize_images(root: Node, text: Text) -> Iterator[ImageValue]:
    """Yield what a kustomization's `images` set, each as if it were rendered."""
    kinds, versions = (list(reached_at(root, [key])) for key in ("kind", "apiVersion"))
    is_known = all(_text(node) in _KUSTOMIZATIONS for node, *_ in kinds)
    if is_known and all(_text(node).startswith(_KUSTOMIZE_GROUP) for node, *_ in versions if _text(node)):
        repeated = next((again for *_, again in (*kinds, *versions) if again), None)
        seen: set[int] = set()
        for images, path, again in reached_at(root, ["images"], (), repeated):
            for node, _, twice in reached_at(images, ["[]"], path, again) if isinstance(images, SequenceNode) else ():
                if id(node) not in seen:
                    seen.add(id(node))
                    yield from _entry(node, text, twice)


def _entry(node: Node, text: Text, repeated: Scalar | None) -> Iterator[ImageValue]:
    fields: dict[str, list[Written]] = {}
    for key in ("name", "newName", "newTag", "digest"):
        for value, _, again in reached_at(node, [key], (), repeated):
            repeated = repeated or again
            if isinstance(value, Scalar):
                fields.setdefault(key, []).append(Written(text, value))
    last = {key: values[-1] for key, values in fields.items()}
    renamed = [name for name in fields.get("newName", ()) if name.value]
    for name in renamed or fields.get("name", []):
        image = _entry_value(name, last)
        if name.value and image.decider:
            yield image.but_repeated(Written(text, repeated) if repeated else None)


def _entry_value(name: Written, fields: dict[str, Written]) -> ImageValue:
    """Return the image that an entry makes of what says nothing but a name."""
    tag, digest = fields.get("newTag"), fields.get("digest")
    own = ImageValue.of_reference(name)
    beside = tuple(fields[key] for key in ("newName", "name") if key in fields)
    if tag is None and digest is None:
        return ImageValue(own.name, own.tag, own.digest, own.tag_at if own.tag else None, own.digest_at, beside)
    tagged = Part(tag, Form.TAG) if tag else None
    version, _, inner = tag.value.partition("@") if tag else ("", "", "")
    digested = Part(digest, Form.DIGEST) if digest else tagged if inner else None
    return ImageValue(own.name, version, digest.value if digest else inner, tagged, digested, beside)


def _text(node: Node) -> str:
    return str(node.value) if isinstance(node, Scalar) else "a collection"
