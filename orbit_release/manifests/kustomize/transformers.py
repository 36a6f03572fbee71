"""What `transformers:` name: the builtin ones do what the fields of a kustomization do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orbit_release.manifests.kustomize.field_paths import KustomizeSpec
from orbit_release.manifests.kustomize.fields import Fields, place
from orbit_release.manifests.kustomize.image_entries import ImageEntry
from orbit_release.manifests.kustomize.names import (
    add_affixes,
    add_annotations,
    add_labels,
    set_namespace,
    set_replicas,
)
from orbit_release.manifests.kustomize.patches.apply import apply_patch, apply_patches_in
from orbit_release.manifests.kustomize.reading import Layer, Reading, file_at
from orbit_release.manifests.kustomize.replacements import mark_replaced
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.kustomize.tagging import apply_images
from orbit_release.manifests.texts import yaml_nodes as nodes


def transform(layer: Layer, config: Resource) -> None:
    """Do what a configuration of a transformer says; InvalidError where it cannot be done."""
    run = _KINDS.get(config.kind) if config.api_version == "builtin" else None
    if config.kind in _HARMLESS and config.api_version == "builtin":
        return
    if run is None:
        what = f"{place(config.text, config.root)}: {config.kind} is a plugin: what it does cannot be seen here"
        layer.reading.not_seen(what)
        for resource in layer.pool:
            resource.but_unclear(what)
        return
    run(layer, Fields.read(config.text, config.root, config.kind))


def _specs(fields: Fields) -> list[KustomizeSpec]:
    return [KustomizeSpec.read(spec) for spec in fields.mappings("fieldSpecs")]


def _images(layer: Layer, fields: Fields) -> None:
    image = fields.mapping("imageTag")
    if image is not None:
        apply_images(layer.pool, [ImageEntry.of_transformer(image, tuple(_specs(fields)))], layer.reading)


def _patch(layer: Layer, fields: Fields) -> None:
    apply_patch(layer, fields)


def _strategic(layer: Layer, fields: Fields) -> None:
    for written in fields.strings("paths"):
        apply_patches_in(layer, written)
    if inline := fields.written("patches"):
        apply_patches_in(layer, inline)


def _json(layer: Layer, fields: Fields) -> None:
    apply_patch(layer, fields, inline="jsonOp")


def _replicas(layer: Layer, fields: Fields) -> None:
    replica = fields.mapping("replica")
    if replica is not None:
        set_replicas(layer.pool, replica, _specs(fields), layer.reading)


def _namespace(layer: Layer, fields: Fields) -> None:
    metadata = fields.mapping("metadata")
    namespace = metadata.string("namespace") if metadata else ""
    if namespace:
        set_namespace(layer.pool, namespace, fields.where, only_unset=fields.is_true("unsetOnly"))


def _affixes(layer: Layer, fields: Fields) -> None:
    if any(spec.path == "metadata/name" for spec in _specs(fields)):
        add_affixes(layer.pool, fields.string("prefix"), fields.string("suffix"), fields.where)


def _labels(layer: Layer, fields: Fields) -> None:
    if any(spec.path == "metadata/labels" for spec in _specs(fields)):
        add_labels(layer.pool, fields.pairs("labels"))


def _annotations(layer: Layer, fields: Fields) -> None:
    if any(spec.path == "metadata/annotations" for spec in _specs(fields)):
        add_annotations(layer.pool, fields.pairs("annotations"))


def apply_replacements(layer: Layer, fields: Fields) -> None:
    """Look through `replacements:`, written here or in files."""
    for replacement in fields.mappings("replacements"):
        path = replacement.written("path")
        if path is None:
            mark_replaced(layer.pool, replacement, layer.reading)
            continue
        text, roots = layer.reading.documents(file_at(layer.folder, path))
        for root in roots:
            for node in root if isinstance(root, nodes.SequenceNode) else [root]:
                mark_replaced(layer.pool, Fields.read(text, node, "a replacement"), layer.reading)


def read_configurations(fields: Fields, folder: str, pool: Pool, reading: Reading) -> None:
    """Take what `configurations:` say of images, and of replicas."""
    for written in fields.strings("configurations"):
        text, roots = reading.documents(file_at(folder, written))
        if roots:
            config = Fields.read(text, roots[0], "a configuration")
            pool.image_specs += [KustomizeSpec.read(spec) for spec in config.mappings("images")]
            pool.replica_specs += [KustomizeSpec.read(spec) for spec in config.mappings("replicas")]


_HARMLESS = ("HashTransformer", "SortOrderTransformer")
_KINDS: Mapping[str, Callable[[Layer, Fields], None]] = {
    "AnnotationsTransformer": _annotations,
    "ImageTagTransformer": _images,
    "LabelTransformer": _labels,
    "NamespaceTransformer": _namespace,
    "PatchJson6902Transformer": _json,
    "PatchStrategicMergeTransformer": _strategic,
    "PatchTransformer": _patch,
    "PrefixSuffixTransformer": _affixes,
    "PrefixTransformer": _affixes,
    "ReplacementTransformer": apply_replacements,
    "ReplicaCountTransformer": _replicas,
    "SuffixTransformer": _affixes,
}
