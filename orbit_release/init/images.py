"""The images that a repository's manifests deploy, whoever builds them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orbit_release.check.tree import Tree
from orbit_release.image import Repository
from orbit_release.init.dockerfiles import is_aside
from orbit_release.manifests.deployed import Search, read_deployed
from orbit_release.manifests.entries.applied_files import Entries
from orbit_release.manifests.entries.contents import contents_of
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.image_value import ImageValue
from orbit_release.manifests.names import Names
from orbit_release.manifests.objects import ENDINGS, is_kustomization
from orbit_release.manifests.places import fault_of

# Only what has one of these words is parsed: most YAML of a repository deploys nothing.
_MAY_DEPLOY = re.compile(rb"\b(?:image|repository|newTag|digest)\b")


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
    names = Names(None)
    places: defaultdict[Repository, list[ImageValue]] = defaultdict(list)
    renamed: set[str] = set()
    for value in _written_images(tree, names):
        if repository := names.repository(value.name):
            places[repository].append(value)
            renamed |= {name.value for name in value.beside} - {repository.name}
    repositories = sorted((repository for repository in places if repository.name not in renamed), key=str)
    return [_deployed_image(repository, places[repository]) for repository in repositories]


def _deployed_image(repository: Repository, values: Collection[ImageValue]) -> DeployedImage:
    files = tuple(dict.fromkeys(value.scalars[0].path for value in values))
    own = tuple(path for path in files if not is_aside(path)) or files
    unwritable = (value.scalars[0].where for value in values if fault_of(value, repository))
    return DeployedImage(repository, own, tuple(dict.fromkeys(unwritable)))


def _written_images(tree: Tree, names: Names) -> Iterator[ImageValue]:
    """Yield the images of every file, and of every chart's values, by itself: which folder is applied is not known."""
    files = _files_below(tree, ".")
    paths = [path for path in files.names if path.isprintable() and (path.endswith(ENDINGS) or is_kustomization(path))]
    may_deploy = [path for path in paths if _MAY_DEPLOY.search(files.read(path) or b"")]
    for content in contents_of(Entries(others=may_deploy), files, names, ()):
        yield from (image.value for image in content.images)


def edited_files(tree: Tree, folder: str, repositories: Collection[Repository]) -> list[str]:
    """Return the files that releases of some images change, examples and hidden ones among them."""
    deployed = read_deployed(_files_below(tree, folder), Search((folder,), repositories))
    return sorted({value.path for place in deployed.places for value in place.value.deciders})


def _files_below(tree: Tree, folder: str) -> Files:
    def read(path: str) -> bytes | None:
        return tree.read(path) if tree.is_file(path) else None

    def kustomizations() -> list[str]:
        return [path for path in tree.files if is_kustomization(path)]

    return Files(tree.below(folder), read, kustomizations)
