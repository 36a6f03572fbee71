"""Where services are named that nothing deploys: in files that are not applied, or in fields that are no image's."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orbit_release.check.manifest_folder import ManifestFolder
from orbit_release.check.tree import Tree
from orbit_release.check.written_objects import may_hold_objects
from orbit_release.image import Repository
from orbit_release.manifests.deployed import Manifests
from orbit_release.manifests.helm.files import is_overrides_file, is_values_file
from orbit_release.manifests.names import Names
from orbit_release.manifests.objects import ENDINGS, is_kustomization


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A line (from 1) that names a service; `why` says what keeps releases away from it."""

    path: str
    line: int
    why: str
    fix: str


def named_elsewhere(
    repositories: Sequence[Repository], manifests: Manifests, folders: Sequence[ManifestFolder], tree: Tree, config: str
) -> dict[Repository, Elsewhere]:
    """Return the first line that names each repository: below the paths of the manifests, else anywhere."""
    lines: dict[Repository, Elsewhere] = {}
    names = Names(repositories)
    for path in _candidates(folders, tree, config) if repositories else ():
        data = tree.read(path)
        for repository in names.named_in(data) - lines.keys():
            rows = enumerate(data.split(b"\n"), 1)
            line = next((number for number, row in rows if repository in names.named_in(row)), 1)
            lines[repository] = Elsewhere(path, line, *_reason(path, manifests, folders, config))
        if len(lines) == len(repositories):
            break
    return lines


def _candidates(folders: Sequence[ManifestFolder], tree: Tree, config: str) -> Iterator[str]:
    below = dict.fromkeys(path for folder in folders for path in (*folder.files, *folder.kustomizations))
    yield from (path for path in below if path != config)
    for path in filter(tree.is_file, tree.below(".")):
        is_applied = is_kustomization(path) or is_values_file(path) or is_overrides_file(path)
        if path not in below and (is_applied or (path.endswith(ENDINGS) and may_hold_objects(tree.read(path)))):
            yield path


def _reason(path: str, manifests: Manifests, folders: Sequence[ManifestFolder], config: str) -> tuple[str, str]:
    """Return why no release changes a file, and what to do about it."""
    if path in manifests.deployed.files:
        return "where no image is known", f"name the field in `fields:` of {config}."
    if path not in manifests.files.names:
        fix = f"add {posixpath.dirname(path) or path} to `manifests:` of {config}, or `deploy: false` to the service."
        return "which is not below `manifests:`", fix
    if any(folder.is_chart(path) for folder in folders):
        return "in a part of a chart", "write the image into the chart's values: `image: {repository: …, tag: …}`."
    return "and no kustomization includes this file", "add it to the `resources` of a kustomization."
