"""Patches of a kustomization: read from files or from the text beside them, and applied to the objects of a layer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, fault, place
from orbit_release.manifests.kustomize.identity import Id
from orbit_release.manifests.kustomize.patches.json_patch import Operation
from orbit_release.manifests.kustomize.patches.selectors import Selector
from orbit_release.manifests.kustomize.patches.strategic import SCHEMAS, merged
from orbit_release.manifests.kustomize.reading import Layer
from orbit_release.manifests.kustomize.resource import Pool, Resource
from orbit_release.manifests.kustomize.trees import Copier, drop
from orbit_release.manifests.objects import objects_in
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, SequenceNode

_MISSING = "Correct its kind, name and namespace: they must be those of an object below this kustomization."


@dataclass(frozen=True, slots=True)
class Patch:
    """Strategic merge patches (`objects`) or the operations of a JSON patch, and what they are for."""

    text: Text
    objects: tuple[MappingNode, ...] = ()
    operations: tuple[Operation, ...] = ()
    target: Selector | None = None
    may_rename: bool = False
    may_change_kind: bool = False

    @classmethod
    def read(cls, text: Text, roots: Sequence[Node], target: Selector | None, options: Fields | None) -> Patch:
        """Tell the two kinds of patches apart; InvalidError where it is none."""
        roots = [root for root in roots if not isinstance(root, nodes.Scalar)]
        if not roots:
            raise InvalidError(f"{text.path}:{text.first_line}: the patch is empty", "Write it, or take it out.")
        if isinstance(roots[0], SequenceNode):
            _require_json(text)
            operations = [Operation.read(Fields.read(text, item, "an operation")) for item in roots[0]]
            return cls(text, operations=tuple(operations), target=target)
        objects = tuple(node for root in roots for node in objects_in(root))
        for node in objects:
            if not nodes.text(node, "kind") or not nodes.text(node, "metadata", "name"):
                raise fault(text, node, "a patch needs kind and metadata.name, even if it has a target")
        flags = [options.is_true(name) if options else False for name in ("allowNameChange", "allowKindChange")]
        return cls(text, objects, (), target, *flags)

    def apply(self, layer: Layer) -> None:
        """Change the objects of a layer; InvalidError where it applies to none that it names."""
        if self.operations:
            self._operate(layer)
        elif self.target is None:
            for patch in self.objects:
                if resource := _only(layer, self.text, patch):
                    self._merge(layer, resource, patch)
        elif len(self.objects) > 1:
            raise fault(self.text, self.objects[1], "a patch with a target is one document")
        else:
            for resource, is_certain in self._selected(layer.pool):
                if not is_certain:
                    resource.but_unclear(f"{place(self.text, self.objects[0])}: cannot tell what this patch selects")
                else:
                    self._merge(layer, resource, self.objects[0])

    def _selected(self, pool: Pool) -> list[tuple[Resource, bool]]:
        target = self.target or Selector()
        return list(target.selected(pool.named(target.plain_name) if target.plain_name else pool))

    def _operate(self, layer: Layer) -> None:
        fields = self.operations[0].fields
        if self.target is None:
            raise fault(fields.text, fields.node, "a JSON patch needs a target", "Name what it patches.")
        is_moved = False
        for resource, is_certain in self._selected(layer.pool):
            if is_certain:
                is_moved |= self._operated(layer, resource)
            else:
                resource.but_unclear(f"{fields.where}: cannot tell what this patch selects")
        if is_moved:
            layer.pool.renamed()

    def _operated(self, layer: Layer, resource: Resource) -> bool:
        """Apply the operations to one object; whether its id changed."""
        before, was = resource.open(layer.reading.specs, layer.pool.image_specs), resource.id
        resource.remember_id()
        resource.write_identity()
        resource.write_annotations()
        for operation in self.operations:
            operation.applied(resource)
        resource.read_identity()
        resource.close(before, layer.reading.specs, layer.pool.image_specs)
        return resource.id != was

    def _merge(self, layer: Layer, resource: Resource, patch: MappingNode) -> None:
        before, was = resource.open(layer.reading.specs, layer.pool.image_specs), resource.id
        graft = Copier(self.text, resource.grafts.scalar).copy(patch)
        assert isinstance(graft, MappingNode)  # noqa: S101 - a copy of a mapping is one
        drop(graft, "apiVersion")

        def doubt(why: str) -> None:
            resource.but_unclear(f"{place(self.text, patch)}: {why}")

        if layer.has_schema:
            doubt("openapi: gives a schema of its own to patches")
        schema = SCHEMAS.get((resource.api_version, resource.kind), {})
        root = merged(resource.root, graft, self.text, schema, doubt)
        if root is None:
            layer.pool.remove(resource)
            return
        resource.root = root
        self._identify(resource)
        resource.close(before, layer.reading.specs, layer.pool.image_specs)
        if resource.id != was:
            layer.pool.renamed()

    def _identify(self, resource: Resource) -> None:
        if self.may_rename or self.may_change_kind:
            resource.remember_id()
        if self.may_rename:
            resource.name = nodes.text(resource.root, "metadata", "name")
        if self.may_change_kind:
            resource.kind = nodes.text(resource.root, "kind")
        resource.write_identity()


def _require_json(text: Text) -> None:
    """Raise InvalidError where a text begins as JSON and is none: kustomize reads it as nothing else then."""
    body = text.text.strip() if text.inside else text.text
    if body.startswith("["):
        try:
            json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidError(f"{text.path}:{text.first_line}: not valid JSON", "Put its keys in quotes.") from error


def _only(layer: Layer, text: Text, patch: MappingNode) -> Resource | None:
    """Return what a patch names; None where it may be what cannot be seen here. InvalidError where it is nothing."""
    keys = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))
    api_version, kind, name, namespace = (nodes.text(patch, *key) for key in keys)
    resources = layer.pool.by_id(Id.of(api_version, kind, name, namespace))
    if not resources and layer.reading.unseen:
        return None
    if len(resources) != 1:
        many = "several objects are" if resources else "there is no"
        space = f" in namespace {namespace}" if namespace else ""
        raise fault(text, patch, f"{many} {kind} {name} ({api_version}){space} to patch", _MISSING)
    return resources[0]
