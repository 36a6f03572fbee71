"""The images that a repository's manifests deploy, whoever builds them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference, Repository
from orbit_release.init.dockerfiles import is_aside
from orbit_release.manifests.image_fields import KustomizeImage, Placeholder
from orbit_release.manifests.manifest import Manifest, read_manifest
from orbit_release.manifests.objects import ENDINGS
from orbit_release.manifests.yaml_nodes import value_of

_MENTION = re.compile(rb"""\b(image|newName|name)["']?[ \t]*:[ \t]*(?:&\S+[ \t]+)?["']?([^\s"'#,}]+)""")
_KUSTOMIZED = re.compile(rb"\b(?:newTag|digest|newName)\b")
_UNKNOWN = re.compile(r"[$<{].*")


@dataclass(frozen=True, slots=True)
class DeployedImage:
    """A repository and the manifests that deploy it; `unwritable` has the places that hold no plain tag."""

    repository: Repository
    files: tuple[str, ...]
    unwritable: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        return self.repository.name.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.repository.name.rpartition("/")[2]


def deployed_images(tree: Tree) -> list[DeployedImage]:
    """Return what the manifests deploy, by name; a file that is no YAML, such as a template, deploys nothing."""
    files: defaultdict[Repository, dict[str, None]] = defaultdict(dict)
    unwritable: defaultdict[Repository, list[str]] = defaultdict(list)
    renamed: set[str] = set()
    for manifest in _manifests(tree, ".", _mentioned):
        for spot in manifest.spots if manifest.path.isprintable() else ():
            files[spot.repository][manifest.path] = None
            if isinstance(spot, Placeholder):
                unwritable[spot.repository].append(manifest.where(spot))
            if isinstance(spot, KustomizeImage):
                renamed |= {value_of(name) for name in spot.names} - {spot.repository.name}
    deployed = []
    for repository in sorted((repository for repository in files if repository.name not in renamed), key=str):
        own = tuple(path for path in files[repository] if not is_aside(path)) or tuple(files[repository])
        deployed.append(DeployedImage(repository, own, tuple(unwritable[repository])))
    return deployed


def edited_files(tree: Tree, folder: str, repositories: Collection[Repository]) -> list[str]:
    """Return the files in a folder that releases of some images change, examples and hidden ones among them."""
    return [manifest.path for manifest in _manifests(tree, folder, lambda _: repositories) if manifest.spots]


def _manifests(tree: Tree, folder: str, mentioned: Callable[[bytes], Collection[Repository]]) -> Iterator[Manifest]:
    for path in tree.below(folder):
        if path.endswith(ENDINGS) and tree.files[path] is None:
            data = tree.read(path)
            with suppress(InvalidError):  # a template, or what no bump could edit either
                yield read_manifest(data, path, mentioned(data))


def _mentioned(data: bytes) -> set[Repository]:
    kustomized = bool(_KUSTOMIZED.search(data))
    if not kustomized and b"kind" not in data:
        return set()
    values = {value for key, value in _MENTION.findall(data) if key != b"name" or kustomized}
    return set(filter(None, map(_repository, values)))


def _repository(value: bytes) -> Repository | None:
    text = value.decode("utf-8", "replace")
    if reference := ImageReference.read(text):
        return reference.repository
    with suppress(InvalidError):
        return Repository(_UNKNOWN.sub("", text).rstrip(":@"))
    return None
