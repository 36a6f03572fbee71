"""Kustomizations that nothing but `images:` changes: their files can be read one by one, as history does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from orbit_release.errors import InvalidError
from orbit_release.manifests.entries.content import Content
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.helm.charts import given_images
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.kustomize.image_entries import ImageEntries, ImageEntry, is_container, is_volume
from orbit_release.manifests.kustomize.kustomization import IMAGE, Kustomization, kustomization_in
from orbit_release.manifests.kustomize.reading import Reading, joined
from orbit_release.manifests.names import Names, words_in
from orbit_release.manifests.object_images import FieldSpec, image_fields
from orbit_release.manifests.places import RenderedImage
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode

# What leaves the images of objects alone, whatever it does to their names and labels.
_HARMLESS = {"apiversion", "kind", "metadata", "resources", "bases", "namespace", "nameprefix", "namesuffix", "labels"}
_HARMLESS |= {"commonlabels", "commonannotations", "configmapgenerator", "secretgenerator", "generatoroptions"}
_HARMLESS |= {"sortoptions", "buildmetadata", "replicas", "images"}

_Chain = tuple[ImageEntries, ...]


@dataclass(frozen=True, slots=True)
class SimpleEntry:
    """The `images:` that reach each file of objects, the innermost first, and the kustomizations they stand in."""

    path: str
    chains: dict[str, _Chain] = field(default_factory=dict)
    kustomizations: set[str] = field(default_factory=set)
    words: set[bytes] = field(default_factory=set)  # the names in the `images:`

    @property
    def files(self) -> frozenset[str]:
        return frozenset((*self.chains, *self.kustomizations))

    def contents(
        self, files: Files, names: Names, specs: Sequence[FieldSpec], among: Collection[str] | None
    ) -> Iterator[Content]:
        """Yield what the files hold that others, of which it is made, may have changed (None: all)."""
        is_changed = among is None or not self.kustomizations.isdisjoint(among)
        for path in self.chains if is_changed else self.chains.keys() & set(among or ()):
            make = partial(self._content, path, files, names, specs)
            yield files.once(f"{self.path}\0{path}", make, lambda content: content.files)

    def _content(self, path: str, files: Files, names: Names, specs: Sequence[FieldSpec]) -> Content:
        own = frozenset((path, *self.kustomizations))
        data = files.read(path) or b""
        if not (specs or names.may_be_in(data) or self.words & words_in(data)):
            return Content(own)
        parsed = files.parsed(path)
        if parsed is None or parsed.fault:
            return Content(own, faults={path: parsed.fault} if parsed and parsed.fault else {})
        images = (value for obj in parsed.objects for value in self._images(obj, parsed.text, path, files, specs))
        return Content(own, {path: tuple(RenderedImage(value, path) for value in images)})

    def _images(
        self, obj: MappingNode, text: Text, path: str, files: Files, specs: Sequence[FieldSpec]
    ) -> Iterator[ImageValue]:
        for image in image_fields(obj, specs):
            value = ImageValue.of_reference(Written(text, image.scalar))
            for entries in self.chains[path]:
                if is_container(image.path):
                    value = entries.applied(value)
                elif is_volume(image.path):
                    value = entries.beyond(value)
            yield value.but_unclear(f"{path}: a repeated key") if image.repeated else value
        yield from given_images(obj, text, files)


def simple_entry(path: str, files: Files) -> SimpleEntry | None:
    """Return a kustomization as it can be read file by file; None where it cannot, or is not as it should be."""
    entry = SimpleEntry(path)
    try:
        return entry if _added(path, (), entry, Reading(files)) else None
    except InvalidError:
        return None


def _added(path: str, outer: _Chain, entry: SimpleEntry, reading: Reading) -> bool:
    """Add a kustomization, with the `images:` around it; False where something in it is not simple."""
    kustomization = Kustomization.read(path, reading)
    fields = kustomization.fields
    if not fields.values.keys() <= _HARMLESS or kustomization.is_component or path in entry.kustomizations:
        return False
    entry.kustomizations.add(path)
    listed = [ImageEntry.read(each) for each in fields.mappings("images", IMAGE)]
    entry.words.update(each.name.value.encode() for each in listed)
    chain = (ImageEntries(listed, set()), *outer) if listed else outer
    resources = [*fields.strings("resources"), *fields.strings("bases")]
    return all(_resource(written, kustomization.folder, chain, entry, reading) for written in resources)


def _resource(written: Written, folder: str, chain: _Chain, entry: SimpleEntry, reading: Reading) -> bool:
    path = joined(folder, written.value, written)
    if path and reading.files.read(path) is not None:
        is_new = path not in entry.chains
        entry.chains[path] = chain
        return is_new
    inner = kustomization_in(path, reading)
    return inner is not None and _added(inner, chain, entry, reading)
