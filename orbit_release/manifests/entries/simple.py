"""Kustomizations that nothing but `images:` changes: their files can be read one by one, as plain ones are.

Most kustomizations are such. Whatever is out of the ordinary is left to the whole renderer.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from orbit_release.manifests.entries.content import Content, given_images
from orbit_release.manifests.entries.files import Files, ParsedFile
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.names import Names, words_in
from orbit_release.manifests.object_images import FieldSpec, image_fields
from orbit_release.manifests.objects import is_below
from orbit_release.manifests.places import RenderedImage
from orbit_release.manifests.texts.written import Written
from orbit_release.manifests.texts.yaml_nodes import (
    MappingNode,
    Scalar,
    SequenceNode,
    UnreadableError,
    child,
    items,
    keys,
    text,
    unreadable,
    value_of,
)
from orbit_release.manifests.workloads import workload_of

if TYPE_CHECKING:
    from orbit_release.manifests.kustomize.image_entries import ImageEntries

# What leaves the images of objects alone, whatever it does to their names and labels.
_HARMLESS = {"apiVersion", "kind", "metadata", "resources", "bases", "namespace", "namePrefix", "nameSuffix", "labels"}
_GENERATORS = ("configMapGenerator", "secretGenerator")
_HARMLESS |= {"commonLabels", "commonAnnotations", "generatorOptions", *_GENERATORS}
_HARMLESS |= {"sortOptions", "buildMetadata", "replicas", "images"}
_VERSION = "kustomize.config.k8s.io/v1beta1"


@dataclass(frozen=True, slots=True, eq=False)
class SimpleEntry:
    """The `images:` that reach each file of objects, the innermost first, and the kustomizations they stand in.

    `words` are the names in the `images:`, `used` the identities of those that matched an image. `generated` are the
    files that config maps and secrets are made of.
    """

    path: str
    layers: dict[str, tuple[ImageEntries, ...]] = field(default_factory=dict)
    kustomizations: dict[str, None] = field(default_factory=dict)
    words: set[bytes] = field(default_factory=set)
    used: set[int] = field(default_factory=set)
    generated: set[str] = field(default_factory=set)

    @property
    def files(self) -> frozenset[str]:
        return frozenset((*self.layers, *self.kustomizations, *self.generated))

    def contents(
        self, files: Files, names: Names, specs: Sequence[FieldSpec], among: Collection[str] | None
    ) -> Iterator[Content]:
        """Yield what the files hold that others, of which it is made, may have changed (None: all).

        Of files that cannot name a service it says nothing, not even whether they can be read.
        """
        is_changed = among is None or not self.kustomizations.keys().isdisjoint(among)
        contents = []
        for path in self.layers if is_changed else self.layers.keys() & set(among or ()):
            make = partial(self._content, path, files, names, specs)
            contents.append(files.once(f"{self.path}\0{path}", make, lambda content: content.files))
        yield from contents
        if among is None and self.generated:
            yield Content(frozenset(self.generated))
        if among is None and self.words:
            yield Content(frozenset(self.kustomizations), {self.path: tuple(self._unused(contents))})

    def _content(self, path: str, files: Files, names: Names, specs: Sequence[FieldSpec]) -> Content:
        own = frozenset((path, *self.kustomizations))
        data = files.read(path) or b""
        if not (specs or names.may_be_in(data) or self.words & words_in(data)):
            return Content(own, kustomizations=self.kustomizations)
        parsed = files.parsed(path)
        if parsed is None or parsed.fault:
            return Content(own, faults=files.faults(path))
        images = tuple(self._images(parsed, path, files, specs))
        return Content(own, {path: images}, kustomizations=self.kustomizations)

    def _images(
        self, parsed: ParsedFile, path: str, files: Files, specs: Sequence[FieldSpec]
    ) -> Iterator[RenderedImage]:
        for number, obj in enumerate(parsed.objects):
            workload = workload_of(obj)
            for image in image_fields(obj, specs):
                value = ImageValue.of_reference(Written(parsed.text, image.scalar))
                if not image.scalar.value.endswith("\n"):  # kustomize's expressions match no line break
                    for entries in self.layers[path]:
                        value = entries.reaching(image.path, value)
                repeated = Written(parsed.text, image.repeated) if image.repeated else None
                yield RenderedImage(value.but_repeated(repeated), path, number, workload)
            yield from (RenderedImage(value, path, number, workload) for value in given_images(obj, parsed.text, files))

    def _unused(self, contents: Sequence[Content]) -> Iterator[RenderedImage]:
        running = {image.value.name for content in contents for image in content.images}
        layers = {id(entries): entries for entries in chain.from_iterable(self.layers.values())}
        for entry in chain.from_iterable(entries.entries for entries in layers.values()):
            value = entry.unmatched
            if id(entry) not in self.used and value.decider and value.name not in running:
                why = f"{value.decider.where}: this entry of images: matches no image of {self.path}"
                yield RenderedImage(value.but_unclear(why), self.path, is_idle=True)

    def unreadable(self, files: Files) -> dict[str, UnreadableError]:
        """Return why files of objects cannot be read, also those that can name no service: nobody can render them."""
        left = (path for path in self.layers if not files.is_parsed(path))
        read = ((path, unreadable(files.read(path) or b"", path)) for path in left)
        return {path: fault for path, fault in read if fault}


def simple_entry(path: str, files: Files) -> SimpleEntry | None:
    """Return a kustomization as it can be read file by file; None where it cannot, or is not as it should be."""
    entry = SimpleEntry(path)
    if len(files.kustomizations_in(posixpath.dirname(path))) > 1:
        return None
    return entry if _added(path, (), entry, files) and entry.layers else None


def _added(path: str, outer: tuple[ImageEntries, ...], entry: SimpleEntry, files: Files) -> bool:
    """Add a kustomization, with the `images:` around it; False where something in it is not simple."""
    parsed = files.parsed(path)
    if parsed is None or parsed.fault or len(parsed.documents) != 1 or path in entry.kustomizations:
        return False
    root = parsed.documents[0].root
    if not isinstance(root, MappingNode) or not _is_plain(root):
        return False
    entry.kustomizations[path] = None
    layers = (*_entries(parsed, root, entry), *outer)
    folder = posixpath.dirname(path)
    entry.generated.update(path for path in _generated(root, folder) if files.read(path) is not None)
    listed = [item for key in ("resources", "bases") for item in items(root, key)]
    return all(isinstance(item, Scalar) and _resource(value_of(item), folder, layers, entry, files) for item in listed)


def _generated(root: MappingNode, folder: str) -> Iterator[str]:
    """Yield where files may be that config maps and secrets are made of: `NAME`, or `KEY=NAME`."""
    for generator in (item for key in _GENERATORS for item in items(root, key)):
        listed = [*items(generator, "files"), *items(generator, "envs"), child(generator, "env")]
        for name in (value_of(item) for item in listed if isinstance(item, Scalar)):
            yield posixpath.normpath(posixpath.join(folder, name.rpartition("=")[2]))


def _is_plain(root: MappingNode) -> bool:
    names = keys(root)
    is_known = text(root, "kind") in ("", "Kustomization") and text(root, "apiVersion") in ("", _VERSION)
    lists = (root.get(key) for key in ("resources", "bases", "images"))
    are_lists = all(node is None or isinstance(node, SequenceNode) for node in lists)
    return is_known and are_lists and _HARMLESS.issuperset(names) and len(root) == 2 * len(names)


def _entries(parsed: ParsedFile, root: MappingNode, entry: SimpleEntry) -> tuple[ImageEntries, ...]:
    if not root.get("images"):
        return ()
    from orbit_release.manifests.kustomize.image_entries import read_entries  # noqa: PLC0415

    entries = read_entries(parsed.text, root, entry.used)
    entry.words.update(image.name.value.encode() for image in entries.entries)
    return (entries,)


def _resource(name: str, folder: str, layers: tuple[ImageEntries, ...], entry: SimpleEntry, files: Files) -> bool:
    path = posixpath.normpath(posixpath.join(folder, name))
    if "://" in name or path.startswith(("..", "/")) or path in entry.layers:
        return False
    if path != "." and files.read(path) is not None:
        entry.layers[path] = layers
        return is_below(path, folder)
    there = files.kustomizations_in(path)
    return len(there) == 1 and _added(there[0], layers, entry, files)
