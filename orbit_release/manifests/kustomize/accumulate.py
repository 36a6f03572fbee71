"""Collect the objects of a kustomization, layer by layer, in kustomize's own order (accumulateTarget)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, fault
from orbit_release.manifests.kustomize.generators import note_generators
from orbit_release.manifests.kustomize.image_entries import IMAGE, ImageEntry
from orbit_release.manifests.kustomize.kustomization import LABEL, PATCH, REPLICA, Kustomization, kustomization_in
from orbit_release.manifests.kustomize.names import (
    add_affixes,
    add_annotations,
    add_labels,
    default_replica_specs,
    set_namespace,
    set_replicas,
)
from orbit_release.manifests.kustomize.patches.apply import apply_patch, apply_patches_in
from orbit_release.manifests.kustomize.reading import Layer, Reading, file_at, joined
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.kustomize.tagging import apply_images
from orbit_release.manifests.kustomize.transformers import apply_replacements, read_configurations, transform
from orbit_release.manifests.objects import is_below, objects_in
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar

_REMOTE = re.compile(
    r"(?:[a-z+]+::)?(?:https?://|ssh://|git://|file://|git@|(?:www\.)?(?:github|gitlab|bitbucket)\.com[/:])",
    re.IGNORECASE,
)
_REMOTE_PARTS = (".git/", ".git?", "?ref=", "&ref=", "?version=", "&version=")
_MAX_DEPTH = 40
_MAX_LAYERS = 20_000


@dataclass(frozen=True, slots=True)
class Accumulation:
    """Collects objects; `stack` has the folders of the kustomizations that lead here."""

    reading: Reading
    stack: tuple[str, ...] = ()

    def layer(self, path: str, parent: Pool | None = None) -> Pool:
        """Return the objects of a kustomization; a component changes those of its parent.

        What is wrong is noted as a fault of its file, and all else goes on.
        """
        self._require_end(path)
        pool = Pool() if parent is None else parent
        try:
            kustomization = Kustomization.read(path, self.reading)
            self._require_kind(kustomization, is_component=parent is not None)
            _Target(kustomization, pool, Accumulation(self.reading, (*self.stack, kustomization.folder))).run()
        except InvalidError as error:
            self.reading.fault(path, error)
        return pool

    def _require_end(self, path: str) -> None:
        self.reading.layers += 1
        if len(self.stack) > _MAX_DEPTH or self.reading.layers > _MAX_LAYERS:
            raise InvalidError(f"{path}: too many layers", "Include fewer kustomizations in one another.")

    def _require_kind(self, kustomization: Kustomization, *, is_component: bool) -> None:
        if self.stack and kustomization.is_component != is_component:
            fields = kustomization.fields
            raise fault(fields.text, fields.node, "a Component belongs in components:, and nothing else does")


@dataclass(frozen=True, slots=True)
class _Target:
    """One kustomization and the objects that it works on."""

    kustomization: Kustomization
    pool: Pool
    inner: Accumulation

    @property
    def reading(self) -> Reading:
        return self.inner.reading

    @property
    def fields(self) -> Fields:
        return self.kustomization.fields

    def run(self) -> None:
        for written in (*self.fields.strings("resources"), *self.fields.strings("bases")):
            self._try(partial(self._resource, written, self.pool))
        self._try(partial(read_configurations, self.fields, self.kustomization.folder, self.pool, self.reading))
        self._try(partial(note_generators, self.kustomization, self.pool, self.reading))
        for written in self.fields.strings("components"):
            self._try(partial(self._component, written))
        for step in self._steps():
            self._try(step)
        if self.fields.get("vars") is not None:
            self.pool.variables.append(f"{self.kustomization.path}:{nodes.line(self.fields.values['vars'])}")

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except InvalidError as error:
            self.reading.fault(self.kustomization.path, error)

    def _steps(self) -> Iterator[Callable[[], object]]:
        """Yield what changes the objects, in the order in which kustomize does it."""
        fields, pool, reading, folder = self.fields, self.pool, self.reading, self.kustomization.folder
        schema = fields.mapping("openapi")
        layer = Layer(pool, folder, reading, schema is not None and schema.written("path") is not None)
        for written in fields.strings("patchesStrategicMerge"):
            yield partial(apply_patches_in, layer, written)
        for patch in fields.mappings("patches", PATCH):
            yield partial(apply_patch, layer, patch)
        yield from self._names()
        for patch in fields.mappings("patchesJson6902", PATCH):
            yield partial(apply_patch, layer, patch)
        for replica in fields.mappings("replicas", REPLICA):
            specs = [*default_replica_specs(), *pool.replica_specs]
            yield partial(set_replicas, pool, replica, specs, reading)
        yield self._images
        yield partial(apply_replacements, layer, fields)
        for config in self._transformers():
            yield partial(transform, layer, config)

    def _images(self) -> None:
        entries = [entry for key in ("images", "imageTags") for entry in self.fields.mappings(key, IMAGE)]
        entries = [entry for entry in entries if entry.written("name")]  # one without a name matches nothing
        apply_images(self.pool, [ImageEntry.read(entry) for entry in entries], self.reading)

    def _names(self) -> Iterator[Callable[[], object]]:
        fields, pool, where = self.fields, self.pool, self.kustomization.path
        namespace, prefix, suffix = (fields.string(key) for key in ("namespace", "namePrefix", "nameSuffix"))
        if namespace:
            yield partial(set_namespace, pool, namespace, where)
        if prefix:
            yield partial(add_affixes, pool, prefix, "", where)
        if suffix:
            yield partial(add_affixes, pool, "", suffix, where)
        for label in fields.mappings("labels", LABEL):
            yield partial(add_labels, pool, label.pairs("pairs"))
        yield partial(add_labels, pool, fields.pairs("commonLabels"))
        yield partial(add_annotations, pool, fields.pairs("commonAnnotations"))

    def _resource(self, written: Written, pool: Pool) -> None:
        """Add what a path names: the objects of a file, or those of the kustomization of a folder."""
        is_address = written.value.startswith(("http://", "https://"))
        path = "" if is_address else joined(self.kustomization.folder, written.value, written)
        if path and self.reading.has(path):
            self._file(path, written, pool)
        elif inner := self._kustomization_at(written):
            self._absorb(self.inner.layer(inner), pool, written)

    def _component(self, written: Written) -> None:
        if inner := self._kustomization_at(written):
            self.inner.layer(inner, self.pool)

    def _kustomization_at(self, written: Written) -> str | None:
        """Return the kustomization in a folder, None for one elsewhere.

        InvalidError where there is none, or where it includes itself.
        """
        if _is_remote(written.value):
            self.reading.not_seen(f"{written.where}: {written.value} is not in this repository")
            return None
        folder = joined(self.kustomization.folder, written.value, written)
        for visited in self.inner.stack:
            if is_below(visited, folder):
                raise InvalidError(f"{written.where}: {written.value} includes itself", "Break the circle.")
        path = kustomization_in(folder, self.reading)
        if path is None:
            hint = "Correct the path, or add the file."
            raise InvalidError(f"{written.where}: there is no file and no kustomization at {folder or '.'}", hint)
        self.reading.includes.setdefault(self.kustomization.path, []).append(path)
        return path

    def _file(self, path: str, written: Written, pool: Pool) -> None:
        # Told of, and read all the same: Argo CD may be told to load such files.
        self._try(partial(file_at, self.kustomization.folder, written))
        try:
            text, roots = self.reading.documents(path)
            for resource in _resources(text, roots):
                self._add(resource, pool, path)
        except InvalidError as error:
            self.reading.fault(path, error)

    def _add(self, resource: Resource, pool: Pool, path: str) -> None:
        try:
            _require_identity(resource)
            if not pool.add(resource):
                what = f"{resource.kind} {resource.name} is there twice in this kustomization"
                self.reading.fault(self.kustomization.path, fault(resource.text, resource.root, what))
        except InvalidError as error:
            self.reading.fault(path, error)

    def _absorb(self, inner: Pool, pool: Pool, written: Written) -> None:
        pool.image_specs += inner.image_specs
        pool.replica_specs += inner.replica_specs
        pool.variables += inner.variables
        for resource in inner.resources:
            if not pool.add(resource):
                what = f"{resource.kind} {resource.name} is there twice, the second time from {written.value}"
                self.reading.fault(self.kustomization.path, InvalidError(f"{written.where}: {what}", "Rename one."))

    def _transformers(self) -> list[Resource]:
        """Return the configurations that `transformers:` name: first those that are written there."""
        inline, configs = list[Resource](), Pool()
        for written in self.fields.strings("transformers"):
            if inside := self.reading.objects_inside(written):
                inline += _resources(*inside)
            else:
                self._try(partial(self._resource, written, configs))
        return [*inline, *configs.resources]


def _is_remote(name: str) -> bool:
    return bool(_REMOTE.match(name)) or name.endswith(".git") or any(part in name for part in _REMOTE_PARTS)


def _resources(text: Text, roots: list[Node]) -> Iterator[Resource]:
    number = 0
    for root in roots:
        if isinstance(root, Scalar):
            if nodes.is_null(root):
                continue
            raise fault(text, root, "this is no object")
        for node in objects_in(root):
            if _is_empty_list(node):
                continue
            yield Resource.read(text, number, node)
            number += 1
        if not isinstance(root, MappingNode):
            raise fault(text, root, "this is no object")


def _is_empty_list(root: MappingNode) -> bool:
    return nodes.text(root, "kind").endswith("List") and "items" in nodes.keys(root)


def _require_identity(resource: Resource) -> None:
    if not resource.kind:
        raise fault(resource.text, resource.root, "this object has no kind")
    if not resource.name and not resource.kind.endswith("List"):
        raise fault(resource.text, resource.root, "this object has no metadata.name")
