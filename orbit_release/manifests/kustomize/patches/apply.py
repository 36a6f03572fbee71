"""Find the patches that a kustomization names, and apply them."""

from __future__ import annotations

from orbit_release.errors import InvalidError
from orbit_release.manifests.kustomize.fields import Fields, fault
from orbit_release.manifests.kustomize.patches.patch import Patch
from orbit_release.manifests.kustomize.patches.selectors import Selector
from orbit_release.manifests.kustomize.reading import Reading, file_at
from orbit_release.manifests.kustomize.resource import Pool
from orbit_release.manifests.texts.written import Text, Written
from orbit_release.manifests.texts.yaml_nodes import Node


def apply_patch(
    pool: Pool, fields: Fields, folder: str, reading: Reading, *, inline: str = "patch", has_schema: bool = False
) -> None:
    """Apply an entry of `patches:`; InvalidError where it cannot be."""
    path, text = fields.written("path"), fields.written(inline)
    if text is not None and not text.scalar.value.strip():
        text = None
    if (path is None) == (text is None):
        raise fault(fields.text, fields.node, f"a patch needs one of path and {inline}")
    source, roots = reading.inside(text) if text else _file(path, folder, reading)
    target = fields.mapping("target")
    selector = Selector.read(target) if target else None
    patch = Patch.read(source, roots, selector, fields.mapping("options"))
    patch.apply(pool, reading, has_schema=has_schema)


def apply_patches_in(pool: Pool, written: Written, folder: str, reading: Reading, *, has_schema: bool) -> None:
    """Apply strategic merge patches, in a file or in the text itself."""
    text, roots = reading.objects_inside(written) or _file(written, folder, reading)
    Patch.read(text, roots, None, None).apply(pool, reading, has_schema=has_schema)


def _file(path: Written | None, folder: str, reading: Reading) -> tuple[Text, list[Node]]:
    if path is None:
        raise InvalidError("a patch without a path")
    if path.value.startswith(("http://", "https://")):
        raise InvalidError(f"{path.where}: a patch from {path.value} cannot be seen here", "Keep it in the repository.")
    whole = file_at(folder, path)
    if not reading.has(whole):
        raise InvalidError(f"{path.where}: there is no file {whole}", "Correct the path, or add the file.")
    return reading.documents(whole)
