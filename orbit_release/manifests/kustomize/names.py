"""What changes names, namespaces, labels and counts of objects, and no image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.field_paths import KustomizeSpec
from orbit_release.manifests.kustomize.fields import Fields, fault
from orbit_release.manifests.kustomize.identity import is_cluster_scoped
from orbit_release.manifests.kustomize.reading import Reading
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.kustomize.trees import any_key, empty_like, named, put
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Scalar

_SCALED = ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
_KEEP_NAMES = ("CustomResourceDefinition", "Namespace")


def set_namespace(pool: Pool, namespace: str, where: str, *, only_unset: bool = False) -> None:
    """Put all objects into a namespace; InvalidError where two would be one."""
    for resource in pool:
        resource.remember_id()
        if not is_cluster_scoped(resource.api_version, resource.kind) and not (only_unset and resource.namespace):
            resource.namespace = namespace
        elif resource.kind == "Namespace" and resource.api_version == "v1":
            resource.name = namespace
    _require_unique(pool, where)


def add_affixes(pool: Pool, prefix: str, suffix: str, where: str) -> None:
    """Put a prefix and a suffix around the names; some kinds keep theirs."""
    for resource in pool:
        first = resource.ids[0]
        is_kept = first.kind in _KEEP_NAMES or (first.group, first.kind) == ("apiregistration.k8s.io", "APIService")
        if (prefix or suffix) and not is_kept:
            resource.remember_id()
            resource.name = f"{prefix}{resource.name}{suffix}"
    _require_unique(pool, where)


def _require_unique(pool: Pool, where: str) -> None:
    pool.renamed()
    if len({resource.id for resource in pool.resources}) < len(pool.resources):
        raise InvalidError(
            f"{where}: two objects get the same name", "`kubectl kustomize` refuses that, or mixes them."
        )


def add_labels(pool: Pool, labels: Mapping[str, str]) -> None:
    for resource in pool:
        resource.labels.update(labels)


def add_annotations(pool: Pool, annotations: Mapping[str, str]) -> None:
    for resource in pool:
        resource.annotations.update(annotations)


def set_replicas(pool: Pool, fields: Fields, specs: Sequence[KustomizeSpec], reading: Reading) -> None:
    """Set how many pods the objects of a name run; InvalidError where there is none."""
    name, count = fields.string("name"), fields.get("count")
    kinds = [resource for resource in pool if resource.had_name(name)]
    paths = [(resource, spec) for spec in specs for resource in kinds if spec.is_of(resource)]
    if not paths:
        raise fault(fields.text, fields.node, f"there is nothing named {name!r} that has replicas")
    for resource, spec in paths:
        if spec.path == "spec/replicas":
            _scale(resource, fields, count, reading, pool)


def _scale(resource: Resource, fields: Fields, count: nodes.Node | None, reading: Reading, pool: Pool) -> None:
    before = resource.open(reading.specs, pool.image_specs)
    like = any_key(resource.root)
    spec = resource.root.get("spec")
    if not isinstance(spec, MappingNode):
        spec = empty_like(resource.root)
        put(resource.root, named(like, "spec"), spec)
    if isinstance(count, Scalar):
        put(spec, named(like, "replicas"), resource.grafts.scalar(count, fields.text))
    else:
        put(spec, named(like, "replicas"), named(like, "0", style=None))
    resource.close(before, reading.specs, pool.image_specs)


def default_replica_specs() -> list[KustomizeSpec]:
    return [KustomizeSpec("spec/replicas", kind=kind) for kind in _SCALED]
