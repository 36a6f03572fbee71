"""Which files below a path of the configuration are applied, and as what."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orbit_release.manifests.files import Files
from orbit_release.manifests.objects import ENDINGS, is_kustomization
from orbit_release.manifests.yaml_nodes import items, text

CHART = "Chart.yaml"
_INCLUDES = ("resources", "bases", "components")


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries below one path of the configuration, by their files.

    A kustomization that no other one there includes; what no kustomization reaches: plain manifests, and the values
    of charts. `is_rooted`: the path has a kustomization of its own, and what that does not reach is not applied.
    """

    kustomizations: tuple[str, ...] = ()
    others: Collection[str] = ()
    is_rooted: bool = False


def entries_at(path: str, files: Files) -> Entries:
    """Return the entries of a folder, or of a single file."""
    if path in files.names:
        return Entries((path,)) if is_kustomization(path) else Entries((), (path,))
    names = [name for name in files.names if path == "." or name.startswith(f"{path}/")]
    kustomizations = [name for name in names if is_kustomization(name)]
    charts = {posixpath.dirname(name) for name in names if posixpath.basename(name) == CHART}
    manifests = (name for name in names if name.endswith(ENDINGS) and not is_kustomization(name))
    others = dict.fromkeys(name for name in manifests if _counts(name, charts))
    own = [name for name in kustomizations if (posixpath.dirname(name) or ".") == path]
    outermost = own or _outermost(kustomizations, files)
    return Entries(tuple(outermost), others.keys(), is_rooted=bool(own))


def is_structural(path: str) -> bool:
    """Whether a change of a file may change which entries there are."""
    return is_kustomization(path) or posixpath.basename(path) == CHART


def _counts(name: str, charts: Collection[str]) -> bool:
    """Whether a file is no part of a chart, or its values: what else is in a chart is filled in before it is applied."""
    folders = {*_folders(name)}
    if folders.isdisjoint(charts):
        return True
    return posixpath.dirname(name) in charts and is_values_file(name)


def is_values_file(path: str) -> bool:
    """Whether a file holds Helm values, by its name."""
    name = posixpath.basename(path)
    return name.startswith("values") and name.endswith((".yaml", ".yml"))


def is_argocd_source(path: str) -> bool:
    """Whether a file holds overrides of an Argo CD application: `.argocd-source.yaml`, `.argocd-source-APP.yaml`.

    https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git
    """
    name = posixpath.basename(path)
    return name.startswith(".argocd-source") and name.endswith(".yaml")


def _folders(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name
    yield ""


def _outermost(kustomizations: Collection[str], files: Files) -> list[str]:
    """Return the kustomizations that no other one includes; a component is never applied by itself."""
    by_folder = {posixpath.dirname(name): name for name in kustomizations}
    included = {by_folder[folder] for name in kustomizations for folder in included_folders(name, files) & by_folder.keys()}
    return [name for name in kustomizations if name not in included and not _is_component(name, files)]


def included_folders(kustomization: str, files: Files) -> set[str]:
    """Return the folders that a kustomization includes, as far as it can be read; "" is the root."""
    parsed = files.parsed(kustomization)
    roots = [document.root for document in parsed.documents] if parsed else []
    written = [text(item) for root in roots for key in _INCLUDES for item in items(root, key)]
    folder = posixpath.dirname(kustomization)
    paths = [posixpath.normpath(posixpath.join(folder, entry)) for entry in written if entry and "://" not in entry]
    return {"" if path == "." else path for path in paths}


def _is_component(kustomization: str, files: Files) -> bool:
    parsed = files.parsed(kustomization)
    return parsed is not None and any(text(document.root, "kind") == "Component" for document in parsed.documents)
