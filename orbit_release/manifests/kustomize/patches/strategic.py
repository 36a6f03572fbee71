"""Strategic merge patches, as kustomize applies them (kyaml/yaml/merge2): lists with a merge key are merged by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import fault
from orbit_release.manifests.kustomize.trees import drop, empty_like, put
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Node, Scalar, SequenceNode

# What lies below a field: the key that its list is merged by ("" for none), and the schema of its items or its value.
_Schema: TypeAlias = Mapping[str, tuple[str, Any]]

# https://github.com/kubernetes/kubernetes/blob/master/api/openapi-spec/swagger.json, x-kubernetes-patch-merge-key.
# Lists with two keys (ports) are left out: nothing here reads them.
_CONTAINER: _Schema = {"env": ("name", {}), "volumeMounts": ("mountPath", {}), "volumeDevices": ("devicePath", {})}
_POD: _Schema = {
    "containers": ("name", _CONTAINER),
    "initContainers": ("name", _CONTAINER),
    "ephemeralContainers": ("name", _CONTAINER),
    "volumes": ("name", {}),
    "imagePullSecrets": ("name", {}),
    "hostAliases": ("ip", {}),
}
_TEMPLATE: _Schema = {"template": ("", {"spec": ("", _POD)})}
_SPEC: _Schema = {"spec": ("", _TEMPLATE)}
_CRON: _Schema = {"spec": ("", {"jobTemplate": ("", _SPEC)})}
SCHEMAS: Mapping[tuple[str, str], _Schema] = {
    ("v1", "Pod"): {"spec": ("", _POD)},
    ("v1", "PodTemplate"): _TEMPLATE,
    ("v1", "ReplicationController"): _SPEC,
    ("v1", "ServiceAccount"): {"imagePullSecrets": ("name", {}), "secrets": ("name", {})},
    ("apps/v1", "DaemonSet"): _SPEC,
    ("apps/v1", "Deployment"): _SPEC,
    ("apps/v1", "ReplicaSet"): _SPEC,
    ("apps/v1", "StatefulSet"): _SPEC,
    ("batch/v1", "CronJob"): _CRON,
    ("batch/v1", "Job"): _SPEC,
    ("batch/v1beta1", "CronJob"): _CRON,
}
_DIRECTIVE = "$patch"


@dataclass(frozen=True, slots=True)
class Merge:
    """A patch that is merged into an object; `text` is the patch's, `doubt` is told why images are not certain."""

    text: Text
    doubt: Callable[[str], None]

    def mapping(self, old: MappingNode | None, new: MappingNode, schema: _Schema) -> MappingNode | None:
        """Merge `new` into `old` in place; None where it is deleted. InvalidError where the two do not fit."""
        directive = self._directive(new)
        if directive == "delete":
            return None
        result = empty_like(new) if old is None or directive == "replace" else old
        for key, value in list(new.entries()):
            if isinstance(key, Scalar):
                list_key, below = schema.get(key.value, ("", {}))
                merged = self._value(result.get(key.value), value, list_key, below)
                if merged is None:
                    drop(result, key.value)
                else:
                    put(result, key, merged)
        return result

    def _directive(self, new: MappingNode) -> str:
        node = new.get(_DIRECTIVE)
        if node is None:
            return "merge"
        value = nodes.text(node)
        if value not in ("delete", "replace", "merge"):
            raise fault(self.text, node, f"unknown patch strategy {value!r}")
        drop(new, _DIRECTIVE)
        return value

    def _value(self, old: Node | None, new: Node, key: str, schema: _Schema) -> Node | None:
        if isinstance(new, Scalar) and nodes.is_null(new):
            return None
        if isinstance(old, Scalar) and nodes.is_null(old):
            old = None
        if old is not None and _shape(old) is not _shape(new):
            raise fault(self.text, new, "the patch has another shape than what it patches")
        if isinstance(new, MappingNode):
            return self.mapping(old if isinstance(old, MappingNode) else None, new, schema)
        if isinstance(new, SequenceNode) and key:
            return self._list(old if isinstance(old, SequenceNode) else None, new, key, schema)
        return new

    def _list(self, old: SequenceNode | None, new: SequenceNode, key: str, schema: _Schema) -> Node | None:
        directive, is_given = self._take_directive(new)
        if is_given and old is None:
            self.doubt("a directive of a list that is not there")
        if directive == "delete":
            return None
        left = {} if old is None or directive == "replace" else self._by_key(old, key)
        result = _like(new)
        for name, item in self._by_key(new, key).items():
            # In a list that replaces another, kustomize drops items with a directive of their own.
            if directive == "replace" and item.get(_DIRECTIVE) is not None:
                continue
            merged = self._item(left.pop(name, None), item, schema)
            if merged:
                result.append(merged)
        result.extend(left.values())
        return result

    def _item(self, old: MappingNode | None, new: MappingNode, schema: _Schema) -> MappingNode | None:
        # kustomize puts the old item back in the place of one that should replace it.
        if old is not None and nodes.text(new, _DIRECTIVE) == "replace":
            return old
        return self.mapping(old, new, schema)

    def _take_directive(self, new: SequenceNode) -> tuple[str, bool]:
        """Return what the first item with a directive says of the list, if it does, and take it out."""
        for number, item in enumerate(new):
            if isinstance(item, MappingNode) and item.get(_DIRECTIVE) is not None:
                if len(item) > 2:  # noqa: PLR2004 - one key, one value: else it is the item's own
                    break
                directive = self._directive(item)
                del new[number]
                return directive, True
        return "merge", False

    def _by_key(self, items: SequenceNode, key: str) -> dict[str, MappingNode]:
        items_by_key: dict[str, MappingNode] = {}
        for item in items:
            name = nodes.text(item, key)
            if not isinstance(item, MappingNode) or not name or name in items_by_key:
                self.doubt(f"the items of a list that is patched have no {key!r}, or the same one")
            if isinstance(item, MappingNode):
                items_by_key[name or f"\0{len(items_by_key)}"] = item
        return items_by_key


def _shape(node: Node) -> type:
    return Scalar if isinstance(node, Scalar) else type(node)


def _like(node: SequenceNode) -> SequenceNode:
    new = SequenceNode()
    new.line, new.column = node.line, node.column
    return new


def merged(
    root: MappingNode, patch: MappingNode, text: Text, schema: _Schema, doubt: Callable[[str], None]
) -> MappingNode | None:
    """Merge a patch into an object in place; None where the patch deletes it."""
    try:
        return Merge(text, doubt).mapping(root, patch, schema)
    except RecursionError as error:
        raise InvalidError(f"{text.path}: nested too deep to be patched") from error
