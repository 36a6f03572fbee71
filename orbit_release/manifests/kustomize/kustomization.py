"""A kustomization file: where it lies, and its fields."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, fault
from orbit_release.manifests.kustomize.reading import Reading

COMPONENT = "Component"
_VERSIONS = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    COMPONENT: "kustomize.config.k8s.io/v1alpha1",
}
_HEAD = {"apiversion", "kind"}
# https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
FIELDS = _HEAD | {
    "bases",
    "buildmetadata",
    "commonannotations",
    "commonlabels",
    "components",
    "configmapgenerator",
    "configurations",
    "crds",
    "generatoroptions",
    "generators",
    "helmchartinflationgenerator",
    "helmcharts",
    "helmglobals",
    "images",
    "imagetags",
    "labels",
    "metadata",
    "nameprefix",
    "namespace",
    "namesuffix",
    "openapi",
    "patches",
    "patchesjson6902",
    "patchesstrategicmerge",
    "replacements",
    "replicas",
    "resources",
    "secretgenerator",
    "sortoptions",
    "transformers",
    "validators",
    "vars",
}
PATCH = frozenset({"path", "patch", "target", "options"})
REPLICA = frozenset({"name", "count"})
LABEL = frozenset({"pairs", "includeselectors", "includetemplates", "includevolumeclaimtemplates", "fields"})


@dataclass(frozen=True, slots=True)
class Kustomization:
    """`folder` is "" for the root of the repository."""

    path: str
    folder: str
    fields: Fields
    is_component: bool

    @classmethod
    def read(cls, path: str, reading: Reading) -> Kustomization:
        """Read a kustomization; InvalidError where kustomize would refuse the file."""
        folder = posixpath.dirname(path)
        others = [other for other in reading.files.kustomizations_in(folder) if other != path]
        if others:
            raise InvalidError(f"{path}:1: the folder has two kustomizations, also {others[0]}", "Keep one of them.")
        text, roots = reading.documents(path)
        if not roots or isinstance(roots[0], str):
            raise InvalidError(f"{path}:1: the kustomization is empty", "Name its resources, or remove the file.")
        fields = Fields.read(text, roots[0], "a kustomization")
        fields.but_only(FIELDS)
        kind = fields.string("kind") or "Kustomization"
        if kind not in _VERSIONS:
            raise fault(text, fields.node, f"kind: {kind} is no kustomization")
        if fields.string("apiVersion") not in ("", _VERSIONS[kind]):
            raise fault(text, fields.node, f"the apiVersion of a {kind} is {_VERSIONS[kind]}")
        if all(fields.get(key) is None for key in fields.values.keys() - _HEAD):
            raise InvalidError(f"{path}:1: the kustomization is empty", "Name its resources, or remove the file.")
        return cls(path, folder, fields, kind == COMPONENT)


def kustomization_in(folder: str, reading: Reading) -> str | None:
    """Return the path of the kustomization of a folder; None for none."""
    return next(iter(reading.files.kustomizations_in(folder)), None)
