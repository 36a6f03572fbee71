"""The fields of Kubernetes and Kustomize documents that deploy an image."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.workloads import CONTAINERS, POD_TEMPLATES
from orbit_release.manifests.yaml_nodes import Node, Scalar, SequenceNode, text, value_of, with_merged

_KUSTOMIZATIONS = ("", "Kustomization", "Component")
_KUSTOMIZE_GROUP = "kustomize.config.k8s.io/"
# Behind a repository's name, this makes it another one: a longer path, or a host with a port.
_LONGER_NAME = re.compile(r"[a-z0-9._/-]|:[0-9]+/")

# A node with the key that stands twice on the way to it, if one does.
_Reached: TypeAlias = tuple[Node, Scalar | None]


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a workload; its `image` is the whole reference."""

    reference: ImageReference
    image: Scalar
    repeated: Scalar | None

    @property
    def repository(self) -> Repository:
        return self.reference.repository

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        return (self.image,)


@dataclass(frozen=True, slots=True)
class KustomizeImage:
    """An entry of a kustomization's `images`, with at least one of the two fields."""

    reference: ImageReference
    tag: Scalar | None
    digest: Scalar | None
    repeated: Scalar | None
    others: frozenset[str]  # the names of other images that take their tag from the same scalar
    names: tuple[Scalar, ...] = ()  # the fields that say which image it is

    @property
    def repository(self) -> Repository:
        return self.reference.repository

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """Where the tag, and after it the digest, is written."""
        return tuple(field for field in (self.tag, self.digest) if field is not None)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A field that names the repository, or belongs to it, and then holds no tag: `repository:${TAG}`."""

    repository: Repository
    image: Scalar
    repeated: Scalar | None

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        return (self.image,)


Image: TypeAlias = Container | KustomizeImage
Spot: TypeAlias = Image | Placeholder


def find_spots(root: Node, repositories: dict[str, Repository]) -> Iterator[Spot]:
    """Yield every place in a document that deploys one of the repositories (given by name)."""
    for container, repeated in _containers(root):
        for image, again in _follow(container, ("image",), repeated):
            if isinstance(image, Scalar):
                yield from _container_spots(image, again, repositories)
    yield from _kustomize_spots(root, repositories)


def _container_spots(image: Scalar, repeated: Scalar | None, repositories: dict[str, Repository]) -> Iterator[Spot]:
    written = value_of(image)
    for name in filter(written.startswith, repositories):
        reference = ImageReference.read(written)
        if reference is None:
            if not _LONGER_NAME.match(written, len(name)):
                yield Placeholder(repositories[name], image, repeated)
        elif reference.repository.name == name:
            yield Container(reference, image, repeated)


def _containers(root: Node) -> Iterator[_Reached]:
    seen: set[int] = set()
    for resource, kind, repeated in _objects(root):
        path = POD_TEMPLATES.get(kind)
        for field in CONTAINERS if path is not None else ():
            for sequence, again in _follow(resource, (*(path or ()), "spec", field), repeated):
                yield from _items(sequence, again, seen)


def _objects(root: Node) -> Iterator[tuple[Node, str, Scalar | None]]:
    """Yield the objects of a document, and of lists in it, with each of their kinds."""
    seen: set[int] = set()
    open_: list[_Reached] = [(root, None)]
    while open_:
        node, repeated = open_.pop()
        for kind, again in _follow(node, ("kind",), repeated):
            yield node, text(kind), again
            # As kustomize sees it, `…List` is a list.
            for sequence, twice in _follow(node, ("items",), again) if text(kind).endswith("List") else ():
                open_.extend(_items(sequence, twice, seen))


def _items(node: Node, repeated: Scalar | None, seen: set[int]) -> Iterator[_Reached]:
    """Yield the items of a sequence, the first time that it is seen: aliases may lead to it a million times."""
    if isinstance(node, SequenceNode) and id(node) not in seen:
        seen.add(id(node))
        for item in node:
            yield item, repeated


def _kustomize_spots(root: Node, repositories: dict[str, Repository]) -> Iterator[Spot]:
    entries = [_Entry.read(node, repeated) for node, repeated in _kustomize_entries(root)]
    owners: defaultdict[int, set[str]] = defaultdict(set)
    for entry in entries:
        owners[id(entry.tag)].update(entry.names)
    for entry in entries:
        for name in entry.names & repositories.keys():
            others = frozenset(owners[id(entry.tag)] - {name} if entry.tag else ())
            if spot := entry.spot(repositories[name], others):
                yield spot


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of a kustomization's `images`; `names` are of which images it may be."""

    names: frozenset[str]
    tag: Scalar | None
    digest: Scalar | None
    repeated: Scalar | None
    fields: tuple[Scalar, ...]

    @classmethod
    def read(cls, node: Node, repeated: Scalar | None) -> _Entry:
        reached = {key: list(_follow(node, (key,), repeated)) for key in ("newName", "name", "newTag", "digest")}
        scalars = {key: [value for value, _ in nodes if isinstance(value, Scalar)] for key, nodes in reached.items()}
        new_names, names = (frozenset(map(text, scalars[key])) - {""} for key in ("newName", "name"))
        tag, digest = (next(reversed(scalars[key]), None) for key in ("newTag", "digest"))
        again = next((again for nodes in reached.values() for _, again in nodes if again), None)
        return cls(new_names or names, tag, digest, again, (*scalars["newName"], *scalars["name"]))

    def spot(self, repository: Repository, others: frozenset[str]) -> Spot | None:
        if (field := self.tag or self.digest) is None:
            return None
        tag, digest = text(self.tag), text(self.digest)
        try:
            reference = ImageReference(repository, Tag(tag) if tag else None, Digest(digest) if digest else None)
        except InvalidError:
            return Placeholder(repository, field, self.repeated)
        return KustomizeImage(reference, self.tag, self.digest, self.repeated, others, self.fields)


def _kustomize_entries(root: Node) -> Iterator[_Reached]:
    kinds, versions = list(_follow(root, ("kind",))), list(_follow(root, ("apiVersion",)))
    repeated = next((again for _, again in kinds + versions if again), None)
    is_known = all(text(kind) in _KUSTOMIZATIONS for kind, _ in kinds)
    if is_known and all(text(version).startswith(_KUSTOMIZE_GROUP) for version, _ in versions if text(version)):
        for images, again in _follow(root, ("images",), repeated):
            yield from _items(images, again, set())


def _follow(node: Node, path: tuple[str, ...], repeated: Scalar | None = None) -> Iterator[_Reached]:
    """Yield what a path of keys leads to: several nodes where a key is repeated."""
    if not path:
        yield node, repeated
        return
    merged_twice = None
    for mapping in with_merged(node):  # merged mappings count where the node's own keys lack it
        if own := mapping.named(path[0]):
            again = own[1][0] if len(own) > 1 else merged_twice
            for _, value in own:
                yield from _follow(value, path[1:], repeated or again)
            return
        merges = mapping.named("<<")
        merged_twice = merged_twice or (merges[1][0] if len(merges) > 1 else None)
