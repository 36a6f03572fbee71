"""The folder of manifests: each file is read and parsed once, whoever asks."""

from __future__ import annotations

import posixpath
import re
from functools import cache

from orbit_release.check.tree import Tree, folders_above
from orbit_release.check.written_objects import ObjectFile, may_hold_objects, read
from orbit_release.manifests.objects import ENDINGS, KUSTOMIZATIONS, is_kustomization

_TEMPLATE = re.compile(rb"\{\{|\$\{")
_OBJECT = re.compile(
    rb"^apiVersion:[ \t]*\S.*$[^\0]*?^kind:[ \t]*\w|^kind:[ \t]*\w.*$[^\0]*?^apiVersion:", re.MULTILINE
)


class ManifestFolder:
    """The manifests below a folder of the tree, or a single one, and what kustomizations name outside of it."""

    def __init__(self, tree: Tree, path: str) -> None:
        self.is_file = tree.is_file
        self.data = cache(tree.read)
        self._sources: dict[str, ObjectFile] = {}
        below = tree.at(path)
        self.files = tuple(file for file in below if file.endswith(ENDINGS))
        self.kustomizations = tuple(filter(is_kustomization, below))
        self._charts = {posixpath.dirname(file) or "." for file in below if posixpath.basename(file) == "Chart.yaml"}

    def source(self, path: str) -> ObjectFile:
        """Return a file, parsed if there can be an object in it."""
        if path not in self._sources:
            data = self.data(path)
            is_parsed = is_kustomization(path) or may_hold_objects(data)
            self._sources[path] = read(data, path) if is_parsed else ObjectFile(path)
        return self._sources[path]

    def kustomization(self, folder: str) -> str | None:
        names = (posixpath.normpath(posixpath.join(folder, name)) for name in KUSTOMIZATIONS)
        return next(filter(self.is_file, names), None)

    def is_chart(self, path: str) -> bool:
        """Whether a file is a part of a Helm chart: only Helm knows what it comes to."""
        return not self._charts.isdisjoint(folders_above(path))

    def is_manifest(self, path: str) -> bool:
        """Whether a file that is not YAML was meant to be a manifest, and not a template or something else."""
        data = self.data(path)
        return bool(_OBJECT.search(data)) and not _TEMPLATE.search(data) and not self.is_chart(path)
