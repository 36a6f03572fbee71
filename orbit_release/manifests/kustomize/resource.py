"""One object on its way through the layers of an entry, and all objects of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.kustomize.field_paths import KustomizeSpec, at_spec
from orbit_release.manifests.kustomize.identity import Id, effective_namespace
from orbit_release.manifests.kustomize.trees import Copier, Grafts, any_key, drop, empty_like, named, put, set_at
from orbit_release.manifests.object_images import FieldSpec, ImageField, image_fields
from orbit_release.manifests.texts import yaml_nodes as nodes
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import MappingNode, Scalar


@dataclass(slots=True, eq=False)
class Resource:
    """An object; `name`, `namespace` and the added labels and annotations stand here and not in the tree.

    `values` are its images by the identity of their scalars, as far as the layers have come.
    """

    text: Text
    number: int
    root: MappingNode
    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    earlier: list[tuple[str, str, str]] = field(default_factory=list)  # kinds, namespaces and names, the oldest first
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    is_own: bool = False
    is_generated: bool = False  # a stand-in for a config map or a secret, which patches may name
    grafts: Grafts = field(default_factory=Grafts)
    values: dict[int, ImageValue] = field(default_factory=dict)
    replaced: list[ImageValue] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    _fields: list[ImageField] | None = None
    _specs: tuple[int, int] = (0, 0)

    @classmethod
    def read(cls, text: Text, number: int, root: MappingNode) -> Resource:
        resource = cls(text, number, root)
        resource.read_identity()
        return resource

    def read_identity(self) -> None:
        """Take kind, name and namespace from the tree."""
        self.api_version, self.kind = nodes.text(self.root, "apiVersion"), nodes.text(self.root, "kind")
        self.name = nodes.text(self.root, "metadata", "name")
        self.namespace = nodes.text(self.root, "metadata", "namespace")

    @property
    def id(self) -> Id:
        return Id.of(self.api_version, self.kind, self.name, self.namespace)

    @property
    def ids(self) -> list[Id]:
        """All that it was and is, the oldest first."""
        now = self.id
        then = [Id(now.group, now.version, kind, name, space) for kind, space, name in self.earlier]
        return [*then, now]

    @property
    def first_name(self) -> str:
        return self.earlier[0][2] if self.earlier else self.name

    def had_name(self, name: str) -> bool:
        """Whether it has a name, or had it."""
        return name == self.name or any(name == then for _, _, then in self.earlier)

    def remember_id(self) -> None:
        now = (self.kind, effective_namespace(self.api_version, self.kind, self.namespace), self.name)
        self.earlier.append(now)

    def all_labels(self, kind: str = "labels") -> dict[str, str]:
        """Return the labels, or the annotations, with those that the layers added."""
        pairs = nodes.pairs(self.root, "metadata", kind)
        own = {key.value: value.value for key, value in pairs if isinstance(value, Scalar)}
        return own | (self.labels if kind == "labels" else self.annotations)

    def fields(self, specs: Sequence[FieldSpec], more: Sequence[KustomizeSpec]) -> list[ImageField]:
        """Return the image fields; `more` are those that configurations of kustomize name."""
        if self._fields is None or self._specs != (len(specs), len(more)):
            known = list(image_fields(self.root, specs))
            seen = {id(field.scalar) for field in known}
            fields = (field for spec in more if spec.is_of(self) for field in at_spec(self.root, spec.path))
            for path, scalar in fields:
                if id(scalar) not in seen:
                    seen.add(id(scalar))
                    known.append(ImageField(path, scalar, None))
            self._fields, self._specs = known, (len(specs), len(more))
        return self._fields

    def written(self, scalar: Scalar) -> Written:
        return self.grafts.places.get(id(scalar)) or Written(self.text, scalar)

    def twin(self, scalar: Scalar, _text: Text) -> Scalar:
        """Return a copy of a scalar of the object, as far as the layers have come."""
        new = self.grafts.copied(scalar, self.written(scalar))
        if value := self.values.get(id(scalar)):
            self.values[id(new)] = value
        return new

    def value(self, image: ImageField) -> ImageValue:
        """Return an image as far as the layers have come."""
        value = self.values.get(id(image.scalar))
        if value is None:
            repeated = self.written(image.repeated) if image.repeated else None
            value = ImageValue.of_reference(self.written(image.scalar)).but_repeated(repeated)
            self.values[id(image.scalar)] = value
        return value

    def open(self, specs: Sequence[FieldSpec], more: Sequence[KustomizeSpec]) -> list[tuple[ImageField, ImageValue]]:
        """Make the tree its own, before a patch; return the images as they are."""
        before = [(image, self.value(image)) for image in self.fields(specs, more)]
        if not self.is_own:
            root = Copier(self.text).copy(self.root)
            assert isinstance(root, MappingNode)  # noqa: S101 - a copy of a mapping is one
            self.root, self.is_own = root, True
        self._write_labels()
        self._fields = None
        return before

    def close(
        self,
        before: Sequence[tuple[ImageField, ImageValue]],
        specs: Sequence[FieldSpec],
        more: Sequence[KustomizeSpec],
    ) -> None:
        """Note which images a patch took away."""
        self._fields = None
        left = {id(image.scalar) for image in self.fields(specs, more)}
        self.replaced += [value for image, value in before if id(image.scalar) not in left]

    def write_identity(self) -> None:
        """Write into the tree what stands beside it: a JSON patch may test and change it."""
        like = any_key(self.root)
        if nodes.text(self.root, "kind") != self.kind:
            put(self.root, named(like, "kind"), named(like, self.kind))
        metadata = self.root.get("metadata")
        if not isinstance(metadata, MappingNode):
            return
        if not self.namespace:
            drop(metadata, "namespace")
        for key, value in (("name", self.name), ("namespace", self.namespace)):
            if value and nodes.text(metadata, key) != value:
                put(metadata, named(like, key), named(like, value))

    def _write_labels(self) -> None:
        """Write into the tree what layers added: a patch may change it, or take it away."""
        like = any_key(self.root)
        for key, added in (("labels", self.labels), ("annotations", self.annotations)):
            for name, value in added.items():
                set_at(self.root, ("metadata", key, name), value, like)
            added.clear()

    def write_annotations(self) -> None:
        """Make sure that there are annotations: kustomize notes there what an object was, and patches add to them."""
        metadata = self.root.get("metadata")
        if isinstance(metadata, MappingNode) and not isinstance(metadata.get("annotations"), MappingNode):
            put(metadata, named(any_key(self.root), "annotations"), empty_like(metadata))

    def but_unclear(self, why: str) -> None:
        """Make every image of the object uncertain."""
        if why not in self.unclear:
            self.unclear.append(why)

    def final_value(self, image: ImageField) -> ImageValue:
        value = self.value(image)
        return replace(value, unclear=(*value.unclear, *self.unclear)) if self.unclear else value


@dataclass(slots=True)
class Pool:
    """The objects of a layer, in kustomize's order.

    `image_specs` and `replica_specs` are the fields that `configurations:` name, `variables` are where `vars:` stand.
    """

    resources: list[Resource] = field(default_factory=list)
    image_specs: list[KustomizeSpec] = field(default_factory=list)
    replica_specs: list[KustomizeSpec] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    _index: dict[Id, list[Resource]] | None = None
    _names: dict[str, list[Resource]] | None = None
    _current: set[Id] = field(default_factory=set)

    def add(self, resource: Resource) -> bool:
        """Add an object; False where there is one of that id."""
        if resource.id in self._current:
            return False
        self._current.add(resource.id)
        self.resources.append(resource)
        self._index = self._names = None
        return True

    def renamed(self) -> None:
        """Forget the index: ids changed."""
        self._index = self._names = None
        self._current = {resource.id for resource in self.resources}

    def remove(self, resource: Resource) -> None:
        self.resources.remove(resource)
        self.renamed()

    def by_id(self, wanted: Id) -> list[Resource]:
        """Return the objects that have an id, or had it."""
        if self._index is None:
            index: dict[Id, list[Resource]] = {}
            for resource in self.resources:
                for known in dict.fromkeys(resource.ids):
                    index.setdefault(known, []).append(resource)
            self._index = index
        return self._index.get(wanted, [])

    def named(self, name: str) -> list[Resource]:
        """Return the objects that had a name at first, or have it now."""
        if self._names is None:
            names: dict[str, list[Resource]] = {}
            for resource in self.resources:
                for known in {resource.first_name, resource.name}:
                    names.setdefault(known, []).append(resource)
            self._names = names
        return list(self._names.get(name, ()))

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self.resources))
