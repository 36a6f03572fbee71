"""The image fields of a Kubernetes object, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orbit_release.manifests.texts.yaml_nodes import (
    MappingNode,
    Node,
    Path,
    Scalar,
    SequenceNode,
    is_null,
    text,
    with_merged,
)

# At any depth of any kind, as kustomize's own LegacyFilter has it (api/filters/imagetag): so a kind that is shaped like
# a Deployment is one. A definition of a kind only describes such fields.
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_DEFINITION = "CustomResourceDefinition"
_VOLUMES = "volumes"  # https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
# https://argo-workflows.readthedocs.io/en/latest/fields/#template
_WORKFLOWS = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
_TEMPLATES = "templates"
_TEMPLATE_PARTS = ("container", "script")
_SIDECARS = "sidecars"

# A node, the path to it, and the key that stands twice on the way, if one does.
Reached: TypeAlias = tuple[Node, Path, Scalar | None]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field that holds an image in objects of a kind; `path` as kustomize writes it: `spec/engines[]/image`."""

    kind: str
    path: str

    @property
    def steps(self) -> list[str]:
        """The keys of the path; `[]` is a step of its own."""
        return [step for part in self.path.split("/") for step in part.replace("[]", "\0[]").split("\0") if step]


@dataclass(frozen=True, slots=True)
class ImageField:
    """A field that holds an image; `path` leads to it from the object's root, `repeated` is a key that stands twice."""

    path: Path
    scalar: Scalar
    repeated: Scalar | None


def image_fields(root: Node, specs: Sequence[FieldSpec] = ()) -> Iterator[ImageField]:
    """Yield the fields of an object that hold an image, each scalar once; `specs` name fields of more kinds."""
    kinds = [(text(node), again) for node, _, again in reached_at(root, ["kind"])]
    names = {kind for kind, _ in kinds}
    if not any(names) or _DEFINITION in names:
        return
    twice = next((again for _, again in kinds if again), None)
    seen: set[int] = set()
    own = [spec.steps for spec in specs if spec.kind in names]
    named = (reached for steps in own for reached in reached_at(root, steps))
    for node, path, repeated in (*_known_fields(root, is_workflow=not names.isdisjoint(_WORKFLOWS)), *named):
        if isinstance(node, Scalar) and not is_null(node) and id(node) not in seen:
            seen.add(id(node))
            yield ImageField(path, node, twice or repeated)


def _known_fields(root: Node, *, is_workflow: bool) -> Iterator[Reached]:
    lists = {*_CONTAINERS, *((_SIDECARS,) if is_workflow else ())}
    for node, path, repeated in nodes_below([(root, (), None)]):
        name = path[-1] if path and isinstance(node, SequenceNode) else None
        if name in lists:
            yield from reached_at(node, ["[]", "image"], path, repeated)
        elif name == _VOLUMES:
            yield from reached_at(node, ["[]", "image", "reference"], path, repeated)
        elif name == _TEMPLATES and is_workflow:
            for part in _TEMPLATE_PARTS:
                yield from reached_at(node, ["[]", part, "image"], path, repeated)


def nodes_below(roots: Sequence[Reached]) -> Iterator[Reached]:
    """Yield every node below some, in order, each collection once: aliases may lead to it a million times."""
    seen: set[int] = set()
    open_ = [*reversed(roots)]
    while open_:
        node, path, repeated = open_.pop()
        if isinstance(node, Scalar):
            yield node, path, repeated
        elif id(node) not in seen:
            seen.add(id(node))
            yield node, path, repeated
            if isinstance(node, SequenceNode):
                open_ += [(item, (*path, number), repeated) for number, item in enumerate(node)][::-1]
            else:
                open_ += [*_entries_of(node, path, repeated)][::-1]


def _entries_of(node: MappingNode, path: Path, repeated: Scalar | None) -> Iterator[Reached]:
    """Yield the values of a mapping: several where a key is repeated, merged ones where its own keys lack it."""
    known: set[str] = set()
    merged_twice = None
    for mapping in with_merged(node):
        own: dict[str, list[tuple[Scalar, Node]]] = {}
        for key, value in mapping.entries():
            if isinstance(key, Scalar) and key.value not in known:
                own.setdefault(key.value, []).append((key, value))
        known |= own.keys() - {"<<"}
        for name, entries in own.items():
            again = entries[1][0] if len(entries) > 1 else merged_twice
            if name != "<<":
                yield from ((value, (*path, name), repeated or again) for _, value in entries)
        merges = own.get("<<", [])
        merged_twice = merged_twice or (merges[1][0] if len(merges) > 1 else None)


def reached_at(node: Node, steps: Sequence[str], path: Path = (), repeated: Scalar | None = None) -> Iterator[Reached]:
    """Yield what a path of keys leads to; the step `[]` leads to every item of a sequence."""
    if not steps:
        yield node, path, repeated
    elif isinstance(node, SequenceNode):
        if steps[0] == "[]":
            for number, item in enumerate(node):
                yield from reached_at(item, steps[1:], (*path, number), repeated)
    elif isinstance(node, MappingNode):
        for value, below, again in _entries_of(node, path, repeated):
            if below[-1] == steps[0]:
                yield from reached_at(value, steps[1:], below, again)
