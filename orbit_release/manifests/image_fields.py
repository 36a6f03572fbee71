"""The fields of Kubernetes and Kustomize documents that deploy an image."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from yaml.events import ScalarEvent

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.splice import Document, Mapping, Node, Sequence, is_plain, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPLATE = ("spec", "template")
# Where each kind of workload keeps what its pods are made from.
POD_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    "DaemonSet": _TEMPLATE,
    "Deployment": _TEMPLATE,
    "Job": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "ReplicationController": _TEMPLATE,
    "Rollout": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
}
_KUSTOMIZATIONS = ("", "Kustomization", "Component")
_KUSTOMIZE_GROUP = "kustomize.config.k8s.io/"
_NULLS = ("", "~", "null", "Null", "NULL")
# Behind a repository's name, this makes it another one: a longer path, or a host with a port.
_LONGER_NAME = re.compile(r"[a-z0-9._/-]|:[0-9]+/")

# A node with the key that stands twice on the way to it, if one does.
_Reached: TypeAlias = tuple[Node, ScalarEvent | None]


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a workload; its `image` is the whole reference."""

    reference: ImageReference
    image: ScalarEvent
    repeated: ScalarEvent | None

    @property
    def repository(self) -> Repository:
        """The image without its tag."""
        return self.reference.repository

    @property
    def scalars(self) -> tuple[ScalarEvent, ...]:
        """Where the tag is written."""
        return (self.image,)


@dataclass(frozen=True, slots=True)
class KustomizeImage:
    """An entry of a kustomization's `images`, with at least one of the two fields."""

    reference: ImageReference
    tag: ScalarEvent | None
    digest: ScalarEvent | None
    repeated: ScalarEvent | None
    others: frozenset[str]  # the names of other images that take their tag from the same scalar
    names: tuple[ScalarEvent, ...] = ()  # the fields that say which image it is

    @property
    def repository(self) -> Repository:
        """The image without its tag."""
        return self.reference.repository

    @property
    def scalars(self) -> tuple[ScalarEvent, ...]:
        """Where the tag, and after it the digest, is written."""
        return tuple(field for field in (self.tag, self.digest) if field is not None)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A field that names the repository, or belongs to it, and then holds no tag: `repository:${TAG}`."""

    repository: Repository
    image: ScalarEvent
    repeated: ScalarEvent | None

    @property
    def scalars(self) -> tuple[ScalarEvent, ...]:
        """Where the placeholder is written."""
        return (self.image,)


Spot: TypeAlias = Container | KustomizeImage | Placeholder


def find_spots(document: Document, repositories: dict[str, Repository]) -> Iterator[Spot]:
    """Yield every place in a document that deploys one of the repositories (given by name)."""
    yield from _workload_spots(document, repositories)
    yield from _kustomize_spots(document, repositories)


def _workload_spots(document: Document, repositories: dict[str, Repository]) -> Iterator[Spot]:
    for container, again in _containers(document.root):
        for image, twice in _follow(container, ("image",), again):
            if isinstance(image, ScalarEvent):
                yield from _container_spots(image, twice, repositories)


def _container_spots(
    image: ScalarEvent, repeated: ScalarEvent | None, repositories: dict[str, Repository]
) -> Iterator[Spot]:
    text = value_of(image)
    for name in filter(text.startswith, repositories):
        try:
            reference = ImageReference.parse(text)
        except InvalidError:
            if not _LONGER_NAME.match(text, len(name)):
                yield Placeholder(repositories[name], image, repeated)
        else:
            if reference.repository.name == name:
                yield Container(reference, image, repeated)


def _containers(root: Node) -> Iterator[_Reached]:
    seen: set[int] = set()
    for resource, again in _resources(root):
        for kind, twice in _follow(resource, ("kind",), again):
            for field in ("containers", "initContainers"):
                path = POD_TEMPLATES.get(_text(kind))
                for found in _follow(resource, (*path, "spec", field), twice) if path is not None else ():
                    yield from _items(*found, seen)


def _resources(root: Node) -> Iterator[_Reached]:
    yield root, None
    for kind, again in _follow(root, ("kind",)):
        if _text(kind) == "List":
            for items in _follow(root, ("items",), again):
                yield from _items(*items, set())


def _items(node: Node, repeated: ScalarEvent | None, seen: set[int]) -> Iterator[_Reached]:
    """Yield the items of a sequence, the first time that it is seen: aliases may lead to it a million times."""
    if isinstance(node, Sequence) and id(node) not in seen:
        seen.add(id(node))
        for item in node:
            yield item, repeated


def _kustomize_spots(document: Document, repositories: dict[str, Repository]) -> Iterator[Spot]:
    entries = [_Entry.read(*reached) for reached in _kustomize_entries(document.root)]
    owners: defaultdict[int, set[str]] = defaultdict(set)
    for entry in entries:
        owners[id(entry.tag)].update(entry.names)
    for entry in entries:
        for name in entry.names & repositories.keys():
            others = owners[id(entry.tag)] - {name} if entry.tag else ()
            yield from _kustomize_spot(entry, repositories[name], frozenset(others))


@dataclass(frozen=True, slots=True)
class _Entry:
    names: frozenset[str]
    tag: ScalarEvent | None
    digest: ScalarEvent | None
    repeated: ScalarEvent | None
    fields: tuple[ScalarEvent, ...]

    @classmethod
    def read(cls, node: Node, repeated: ScalarEvent | None) -> _Entry:
        fields = ("newName", "name", "newTag", "digest")
        found = {key: list(_follow(node, (key,), repeated)) for key in fields}
        texts = ({_text(value) for value, _ in found[key]} - {""} for key in fields[:2])
        scalars = ([value for value, _ in found[key] if isinstance(value, ScalarEvent)] for key in fields[2:])
        tag, digest = (values[-1] if values else None for values in scalars)
        again = (twice for values in found.values() for _, twice in values if twice)
        named = tuple(one for key in fields[:2] for one, _ in found[key] if isinstance(one, ScalarEvent))
        return cls(frozenset(next(filter(None, texts), ())), tag, digest, next(again, None), named)


def _kustomize_entries(root: Node) -> Iterator[_Reached]:
    kinds = list(_follow(root, ("kind",)))
    versions = list(_follow(root, ("apiVersion",)))
    repeated = next((twice for _, twice in kinds + versions if twice), None)
    known = all(_text(kind) in _KUSTOMIZATIONS for kind, _ in kinds)
    if known and all(_text(version).startswith(_KUSTOMIZE_GROUP) for version, _ in versions if _text(version)):
        for images in _follow(root, ("images",), repeated):
            yield from _items(*images, set())


def _kustomize_spot(entry: _Entry, repository: Repository, others: frozenset[str]) -> Iterator[Spot]:
    field = entry.tag or entry.digest
    if not field:
        return
    tag, digest = (_text(one) if one else "" for one in (entry.tag, entry.digest))
    try:
        reference = ImageReference(repository, Tag(tag) if tag else None, Digest(digest) if digest else None)
    except InvalidError:
        yield Placeholder(repository, field, entry.repeated)
    else:
        yield KustomizeImage(reference, entry.tag, entry.digest, entry.repeated, others, entry.fields)


def _follow(node: Node, path: tuple[str, ...], repeated: ScalarEvent | None = None) -> Iterator[_Reached]:
    """Yield what a path of keys leads to: several nodes where a key is repeated."""
    if not path:
        yield node, repeated
        return
    found, again = _values(node, path[0])
    for value in found:
        yield from _follow(value, path[1:], repeated or again)


def _values(node: Node, key: str) -> tuple[list[Node], ScalarEvent | None]:
    """Return a key's values, from the merged mappings where the node's own keys lack it, and the repeated key."""
    repeated = None
    for mapping in _with_merged(node):
        if found := _entries(mapping, key):
            return [value for _, value in found], found[1][0] if len(found) > 1 else repeated
        merges = _entries(mapping, "<<")
        repeated = repeated or (merges[1][0] if len(merges) > 1 else None)
    return [], None


def _with_merged(node: Node) -> Iterator[Mapping]:
    """Yield a mapping and all that it merges, in order of precedence, each once (merges may form a circle)."""
    seen: set[int] = set()
    open_: list[Node] = [node]
    while open_:
        mapping = open_.pop()
        if isinstance(mapping, Mapping) and id(mapping) not in seen:
            seen.add(id(mapping))
            yield mapping
            for key, value in reversed(_entries(mapping, "<<")):
                if not key.style:
                    open_.extend(reversed(value) if isinstance(value, Sequence) else [value])


def _entries(mapping: Mapping, key: str) -> list[tuple[ScalarEvent, Node]]:
    pairs = zip(mapping[::2], mapping[1::2], strict=True)
    return [(name, value) for name, value in pairs if type(name) is ScalarEvent and name.value == key]


def _text(node: Node) -> str:
    """Return the value of a scalar; "" for null and for collections."""
    if not isinstance(node, ScalarEvent) or (is_plain(node) and node.value in _NULLS):
        return ""
    return value_of(node)
