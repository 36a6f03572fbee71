"""What a repository releases, as its Dockerfiles and manifests tell; what they do not tell is left to choose."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count

from orbit_release.check.inputs.proposal import propose_paths
from orbit_release.check.tree import Tree
from orbit_release.errors import InvalidError, NotFoundError
from orbit_release.globs import Globs, quoted
from orbit_release.image import Repository
from orbit_release.init import choices
from orbit_release.init.context import Contexts, choose_context
from orbit_release.init.dockerfiles import Dockerfile, find_dockerfiles, plain_name
from orbit_release.init.images import DeployedImage, deployed_images, edited_files
from orbit_release.init.matches import Match, Matching, match
from orbit_release.service import BuildSettings

_SERVICE_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_REGISTRY = "ghcr.io"


@dataclass(frozen=True, slots=True)
class Origin:
    """What the clone is called: `repository` is `owner/name` at GitHub, or a name alone.

    `is_guess`: nothing told the branch.
    """

    repository: str
    branch: str
    is_guess: bool = False

    @property
    def name(self) -> str:
        return self.repository.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ProposedService:
    """A service; `image` is None where the common one holds for it. `choices` are left to a person."""

    name: str
    image: str | None
    settings: BuildSettings
    paths: tuple[str, ...]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration, with what is to be chosen beside each key and, in `left_over`, beside none."""

    image: str | None
    branch: str
    manifests: str
    services: tuple[ProposedService, ...]
    image_choices: tuple[str, ...] = ()
    branch_choices: tuple[str, ...] = ()
    manifest_choices: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()


def propose(tree: Tree, origin: Origin) -> Proposal:
    """Return what the repository releases; NotFoundError if nothing in it is built from a Dockerfile."""
    dockerfiles = find_dockerfiles(tree.below("."), origin.name)
    matching = match(dockerfiles, deployed_images(tree))
    if not matching.matches:
        matching = _without_manifests(dockerfiles, origin)
    if not matching.matches:
        hint = "it looks for Dockerfile, Dockerfile.* and *.Dockerfile; README.md shows how to write the file by hand."
        raise NotFoundError("no service was found: the repository has no Dockerfile of its own", hint)
    manifests, manifest_choices = _manifests(matching)
    services = _services(tree, matching, manifests)
    image = f"{matching.prefix}/{{service}}" if matching.prefix else None
    left_over, image_choices = tuple(choices.left_over(matching)), tuple(choices.image_choices(matching))
    branch_choices = choices.branch_choices(is_guess=origin.is_guess)
    told = (image_choices, branch_choices, manifest_choices, left_over)
    return Proposal(image, origin.branch, manifests, services, *told)


def _without_manifests(dockerfiles: Sequence[Dockerfile], origin: Origin) -> Matching:
    """Take every Dockerfile for a service that is deployed nowhere yet."""
    prefix = _own_prefix(origin.repository)
    plain = {one.folder for one in dockerfiles if not one.is_variant}
    own = [one for one in dockerfiles if not one.is_aside and not (one.is_variant and one.folder in plain)]
    often = {name for name, times in Counter(one.names[0] for one in own).items() if times > 1}
    names: dict[str, Dockerfile] = {}
    for one in own:
        names[_unused([name for name in one.names if name not in often] or one.names, names)] = one
    return Matching(
        prefix, tuple(Match(DeployedImage(Repository(f"{prefix}/{name}"), ()), names[name]) for name in names), (), ()
    )


def _own_prefix(repository: str) -> str:
    """Return where GitHub keeps a repository's images; `owner` stands for one that is not known."""
    name = f"{_REGISTRY}/{'' if '/' in repository else 'owner/'}{repository.lower()}"
    try:
        return Repository(name).name
    except InvalidError:
        return f"{_REGISTRY}/{'/'.join(map(plain_name, name.split('/')[1:]))}"


def _unused(names: Sequence[str], used: Collection[str]) -> str:
    numbered = (f"{names[0]}-{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if name not in used)


def _services(tree: Tree, matching: Matching, manifests: str) -> tuple[ProposedService, ...]:
    edited = edited_files(tree, manifests, {one.image.repository for one in matching.matches})
    found: dict[str, ProposedService] = {}
    contexts = Contexts(tree)
    for one in matching.matches:
        chosen = choose_context(contexts, one.dockerfile.path)
        name = one.image.name if _SERVICE_NAME.fullmatch(one.image.name) else plain_name(one.image.name)
        name = _unused((name, *one.dockerfile.names), found)
        image = None if one.image.repository.name == f"{matching.prefix}/{name}" else one.image.repository.name
        paths, told = _paths(tree, chosen.settings, manifests, edited)
        told = (*choices.match_choices(one), *choices.context_choices(chosen), *told)
        found[name] = ProposedService(name, image, chosen.settings, paths, told)
    return tuple(found.values())


def _paths(
    tree: Tree, settings: BuildSettings, manifests: str, edited: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        found = propose_paths(settings, tree, manifests)
    except InvalidError as error:
        everything = "**" if settings.context == "." else f"{quoted(settings.context)}/**"
        return (everything,), (f"what the Dockerfile copies cannot be told: {error.message}",)
    selected = Globs(tuple(found))
    # A release that changed an input would ask for the next one; `.` has the sources as well.
    inside = [path for path in edited if manifests == "." and selected.match(path.encode("utf-8", "surrogateescape"))]
    left_out = [f"!{quoted(path)}" for path in inside]
    return (*found, *left_out), tuple(choices.deselected([*found, *left_out]))


def _manifests(matching: Matching) -> tuple[str, tuple[str, ...]]:
    """Return the folder that releases change: the deepest one with every image; and what is to choose."""
    files = {path for one in matching.matches for path in one.image.files}
    if not files:
        return "k8s", ("the folder whose manifests deploy these images, for none was found",)
    others: list[str] = []
    folder = _common_folder(files)
    if folder == "." and all("/" in path for path in files):
        top, others = _complete(matching)
        folder = _common_folder(path for path in files if path.startswith(f"{top}/")) if top else "."
    # Where the sources are as well, the root says that not all in the folder is a manifest.
    is_mixed = any(one.dockerfile.path.startswith(f"{folder}/") for one in matching.matches)
    return "." if is_mixed else folder, choices.manifest_choices(others)


def _common_folder(files: Iterable[str]) -> str:
    return posixpath.commonpath([posixpath.dirname(path) for path in files]) or "."


def _complete(matching: Matching) -> tuple[str, list[str]]:
    """Return a folder at the root that has every image (`""`: none has), and the others that have some."""
    images = {(path.partition("/")[0], one.image.name) for one in matching.matches for path in one.image.files}
    counted = Counter(top for top, _ in sorted(images))
    best, most = counted.most_common(1)[0]
    if most < len(matching.matches):
        return "", []
    return best, sorted(f"{top}/" for top in counted if top != best)
