"""What a repository releases, as its Dockerfiles and manifests tell; what they do not tell is left to choose."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count

from orbit_release.check.inputs.context_files import Contexts
from orbit_release.check.inputs.input_rules import Ignored
from orbit_release.check.inputs.missing_inputs import everything_in
from orbit_release.check.inputs.proposed_paths import propose_paths
from orbit_release.check.tree import Tree, path_bytes
from orbit_release.errors import MANUAL, InvalidError, NotFoundError
from orbit_release.globs import Globs, quoted
from orbit_release.image import Repository
from orbit_release.init import open_choices
from orbit_release.init.build_context import choose_context
from orbit_release.init.dockerfiles import FoundDockerfile, find_dockerfiles, is_aside, plain_name
from orbit_release.init.image_matching import ImageMatch, ImageMatching, match_images
from orbit_release.init.images import DeployedImage, deployed_images, edited_files
from orbit_release.service import BuildSettings

_SERVICE_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_REGISTRY = "ghcr.io"


@dataclass(frozen=True, slots=True)
class CloneNames:
    """What a clone is called: `repository` is `owner/name` at GitHub, or a name alone.

    `is_guess`: nothing told the release branch.
    """

    repository: str
    branch: str
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class ProposedService:
    """A service; `image` is None where the common one holds for it. `choices` are left to a person."""

    name: str
    image: str | None
    settings: BuildSettings
    paths: tuple[str, ...]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedConfiguration:
    """A configuration, with what is to be chosen beside each key and, in `left_over`, beside none."""

    image: str | None
    branch: str
    manifests: str
    services: tuple[ProposedService, ...]
    image_choices: tuple[str, ...] = ()
    branch_choices: tuple[str, ...] = ()
    manifest_choices: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()


def propose(tree: Tree, names: CloneNames, ignored: Ignored) -> ProposedConfiguration:
    """Return what the repository releases; NotFoundError if nothing in it is built from a Dockerfile."""
    dockerfiles = find_dockerfiles(tree.below("."), names.repository.rpartition("/")[2])
    matching = match_images(dockerfiles, deployed_images(tree))
    if not matching.matches:
        matching = _without_manifests(dockerfiles, names)
    if not matching.matches:
        hint = "it looks for Dockerfile, Dockerfile.* and *.Dockerfile; "
        hint += f"{MANUAL}/configuration.md shows how to write the file by hand."
        raise NotFoundError("no service was found: the repository has no Dockerfile of its own", hint)
    manifests, manifest_choices = _manifests(matching)
    return ProposedConfiguration(
        f"{matching.prefix}/{{service}}" if matching.prefix else None,
        names.branch,
        manifests,
        _services(tree, matching, manifests, ignored),
        tuple(open_choices.image_choices(matching)),
        (open_choices.BRANCH,) if names.is_guess else (),
        manifest_choices,
        tuple(open_choices.left_over(matching)),
    )


def _without_manifests(dockerfiles: Sequence[FoundDockerfile], names: CloneNames) -> ImageMatching:
    """Take every Dockerfile for a service that is deployed nowhere yet."""
    prefix = _own_prefix(names.repository)
    plain = {file.folder for file in dockerfiles if not file.is_variant}
    own = [file for file in dockerfiles if not is_aside(file.path) and not (file.is_variant and file.folder in plain)]
    often = {name for name, times in Counter(file.names[0] for file in own).items() if times > 1}
    by_name: dict[str, FoundDockerfile] = {}
    for file in own:
        by_name[_unused_name([name for name in file.names if name not in often] or file.names, by_name)] = file
    images = {name: DeployedImage(Repository(f"{prefix}/{name}"), ()) for name in by_name}
    return ImageMatching(prefix, tuple(ImageMatch(images[name], file) for name, file in by_name.items()))


def _own_prefix(repository: str) -> str:
    """Return where GitHub keeps a repository's images; `owner` stands for one that is not known."""
    name = f"{_REGISTRY}/{'' if '/' in repository else 'owner/'}{repository.lower()}"
    try:
        return Repository(name).name
    except InvalidError:
        return f"{_REGISTRY}/{'/'.join(map(plain_name, name.split('/')[1:]))}"


def _unused_name(names: Sequence[str], used: Collection[str]) -> str:
    numbered = (f"{names[0]}-{number}" for number in count(2))
    return next(name for name in chain(names, numbered) if name not in used)


def _services(tree: Tree, matching: ImageMatching, manifests: str, ignored: Ignored) -> tuple[ProposedService, ...]:
    edited = edited_files(tree, manifests, {match.image.repository for match in matching.matches})
    services: dict[str, ProposedService] = {}
    contexts = Contexts(tree)
    for match in matching.matches:
        chosen = choose_context(contexts, match.dockerfile.path, ignored)
        image = match.image
        name = image.name if _SERVICE_NAME.fullmatch(image.name) else plain_name(image.name)
        name = _unused_name((name, *match.dockerfile.names), services)
        own_image = None if image.repository.name == f"{matching.prefix}/{name}" else image.repository.name
        paths, choices = _paths(contexts, chosen.settings, manifests, edited)
        choices = (*open_choices.match_choices(match), *open_choices.context_choices(chosen), *choices)
        services[name] = ProposedService(name, own_image, chosen.settings, paths, choices)
    return tuple(services.values())


def _paths(
    contexts: Contexts, settings: BuildSettings, manifests: str, edited: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the globs of a service's inputs, and what is to choose about them."""
    try:
        globs = propose_paths(settings, contexts, manifests)
    except InvalidError as error:
        return (everything_in(settings.context),), (f"what the Dockerfile copies cannot be told: {error.message}",)
    selected = Globs(tuple(globs))
    # A release that changed an input would ask for the next one; `.` has the sources as well.
    globs += [f"!{quoted(path)}" for path in edited if manifests == "." and selected.match(path_bytes(path))]
    return tuple(globs), tuple(open_choices.deselected_choices(globs))


def _manifests(matching: ImageMatching) -> tuple[str, tuple[str, ...]]:
    """Return the folder that releases change: the deepest one with every image; and what is to choose."""
    files = {path for match in matching.matches for path in match.image.files}
    if not files:
        return "k8s", ("the folder whose manifests deploy these images, for none was found",)
    others: list[str] = []
    folder = _common_folder(files)
    if folder == "." and all("/" in path for path in files):
        top, others = _complete_folder(matching)
        folder = _common_folder(path for path in files if path.startswith(f"{top}/")) if top else "."
    # Where the sources are as well, the root says that not all in the folder is a manifest.
    is_mixed = any(match.dockerfile.path.startswith(f"{folder}/") for match in matching.matches)
    return "." if is_mixed else folder, open_choices.manifest_choices(others)


def _common_folder(files: Iterable[str]) -> str:
    return posixpath.commonpath([posixpath.dirname(path) for path in files]) or "."


def _complete_folder(matching: ImageMatching) -> tuple[str, list[str]]:
    """Return a folder at the root that has every image (`""`: none has), and the others that have some."""
    images = {(path.partition("/")[0], match.image.name) for match in matching.matches for path in match.image.files}
    counted = Counter(top for top, _ in sorted(images))
    best, most = counted.most_common(1)[0]
    if most < len(matching.matches):
        return "", []
    return best, sorted(f"{top}/" for top in counted if top != best)
