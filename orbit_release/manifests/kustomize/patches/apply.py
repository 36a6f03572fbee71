"""Find the patches that a kustomization names, and apply them."""

from __future__ import annotations

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, fault
from orbit_release.manifests.kustomize.patches.patch import Patch
from orbit_release.manifests.kustomize.patches.selectors import Selector
from orbit_release.manifests.kustomize.reading import Layer, file_at
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import Node


def apply_patch(layer: Layer, fields: Fields, *, inline: str = "patch") -> None:
    """Apply an entry of `patches:`, whose field `inline` may hold the patch itself; InvalidError where it cannot be."""
    path, text = fields.written("path"), fields.written(inline)
    if text is not None and not text.scalar.value.strip():
        text = None
    if (path is None) == (text is None):
        raise fault(fields.text, fields.node, f"a patch needs one of path and {inline}")
    source, roots = layer.reading.inside(text) if text else _file(path, layer)
    target = fields.mapping("target")
    selector = Selector.read(target) if target else None
    Patch.read(source, roots, selector, fields.mapping("options")).apply(layer)


def apply_patches_in(layer: Layer, written: Written) -> None:
    """Apply strategic merge patches, in a file or in the text itself."""
    text, roots = layer.reading.objects_inside(written) or _file(written, layer)
    Patch.read(text, roots, None, None).apply(layer)


def _file(path: Written | None, layer: Layer) -> tuple[Text, list[Node]]:
    if path is None:
        raise InvalidError("a patch without a path")
    if path.value.startswith(("http://", "https://")):
        raise InvalidError(f"{path.where}: a patch from {path.value} cannot be seen here", "Keep it in the repository.")
    whole = file_at(layer.folder, path)
    if not layer.reading.has(whole):
        raise InvalidError(f"{path.where}: there is no file {whole}", "Correct the path, or add the file.")
    return layer.reading.documents(whole)
