"""Which image is built from which Dockerfile, by their names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from orbit_release.init.dockerfiles import FoundDockerfile, distance, is_aside, plain_name
from orbit_release.init.images import DeployedImage

_ALIKE = 0.7  # `temporal-worker` and `temporal-workflows` are; `api` and `app` are not


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """An image and its Dockerfile; `rivals` are Dockerfiles that would do as well, `others` other images of it."""

    image: DeployedImage
    dockerfile: FoundDockerfile
    rivals: tuple[str, ...] = ()
    others: tuple[DeployedImage, ...] = ()
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class ImageMatching:
    """All matches; `prefix` is what most of their images begin with, and the rest is what is left over.

    `namesakes` are images that have the names of Dockerfiles which are left over, by the paths of these.
    """

    prefix: str
    matches: tuple[ImageMatch, ...]
    images: tuple[DeployedImage, ...] = ()
    dockerfiles: tuple[FoundDockerfile, ...] = ()
    namesakes: Mapping[str, DeployedImage] = field(default_factory=dict)


def match_images(dockerfiles: Sequence[FoundDockerfile], images: Sequence[DeployedImage]) -> ImageMatching:
    """Pair images with Dockerfiles: by the nearest name, and what is left below the common prefix by likeness."""
    prefix = _common_prefix(dockerfiles, images)
    named = _match_by_name(dockerfiles, images, prefix)
    guessed = _match_by_likeness(*_left(dockerfiles, images, named, prefix))
    matches = tuple(sorted((*named, *guessed), key=lambda match: match.image.name))
    free_images, free = _left(dockerfiles, images, matches, prefix)
    return ImageMatching(prefix, matches, tuple(free_images), tuple(free), _namesakes(free, images, matches))


def _namesakes(
    dockerfiles: Iterable[FoundDockerfile], images: Sequence[DeployedImage], matches: Iterable[ImageMatch]
) -> dict[str, DeployedImage]:
    """Return the image that is nearest by its name to each Dockerfile, of any owner; those without a service first."""
    built = {match.image.repository for match in matches}
    pairs = ((file, image, distance(file.names, image.name)) for file in dockerfiles for image in images)
    named = [(image.repository in built, rank, file.path, image) for file, image, rank in pairs if rank is not None]
    return {path: image for _, _, path, image in sorted(named, key=lambda entry: entry[:2], reverse=True)}


def _common_prefix(dockerfiles: Iterable[FoundDockerfile], images: Iterable[DeployedImage]) -> str:
    """Return the prefix that most names of Dockerfiles were found with; a name alone can be pushed nowhere."""
    known = [name for file in dockerfiles for name in file.names]
    counted = Counter(image.prefix for image in images if image.prefix and distance(known, image.name) is not None)
    return max(counted, key=lambda prefix: (counted[prefix], _has_host(prefix)), default="")


def _has_host(prefix: str) -> bool:
    return "." in prefix.partition("/")[0]


def _match_by_name(
    dockerfiles: Sequence[FoundDockerfile], images: Iterable[DeployedImage], prefix: str
) -> list[ImageMatch]:
    """Take the nearest pairs first; nothing is taken twice."""
    matches: dict[str, ImageMatch] = {}
    taken: set[str] = set()
    ranked = _ranked(dockerfiles, images, prefix)
    for rank, match in ranked:
        image, own = match.image, match.dockerfile.path
        if image.name not in matches and own not in taken:
            same = [rival.dockerfile.path for near, rival in ranked if rival.image is image and near == rank]
            taken.add(own)
            matches[image.name] = replace(match, rivals=tuple(path for path in same if path not in taken))
    return list(matches.values())


def _ranked(
    dockerfiles: Sequence[FoundDockerfile], images: Iterable[DeployedImage], prefix: str
) -> list[tuple[int, ImageMatch]]:
    """Return all that would match, with how far apart the names are: the nearest first."""
    by_name: defaultdict[str, list[DeployedImage]] = defaultdict(list)
    owner = _owner(prefix)
    for image in sorted(images, key=lambda i: (i.prefix != prefix, _owner(i.prefix) != owner, i.repository.name)):
        by_name[image.name].append(image)
    ranked = [
        (rank, ImageMatch(image, file, others=tuple(others)))
        for image, *others in by_name.values()
        for file in dockerfiles
        if _owner(image.prefix) == owner and (rank := distance(file.names, image.name)) is not None
    ]
    return sorted(ranked, key=lambda pair: (pair[0], is_aside(pair[1].dockerfile.path), pair[1].dockerfile.path))


def _owner(prefix: str) -> list[str]:
    """Return the host, if it has one, and the first folder."""
    return prefix.split("/")[: 1 + _has_host(prefix)]


def _left(
    dockerfiles: Iterable[FoundDockerfile],
    images: Iterable[DeployedImage],
    matches: Iterable[ImageMatch],
    prefix: str,
) -> tuple[list[DeployedImage], list[FoundDockerfile]]:
    """Return the images below the prefix, and the Dockerfiles of their own, that are in no match."""
    built = {match.image.name for match in matches}
    taken = {match.dockerfile.path for match in matches}
    folders = {match.dockerfile.folder for match in matches}
    named = [image for image in images if prefix and image.prefix == prefix and image.name not in built]
    own = [file for file in dockerfiles if not is_aside(file.path) and file.path not in taken]
    return named, [file for file in own if not (file.is_variant and file.folder in folders)]


def _match_by_likeness(images: Iterable[DeployedImage], dockerfiles: Sequence[FoundDockerfile]) -> list[ImageMatch]:
    """Pair what is most alike, if each of the two has no one nearer."""
    pairs = [(_likeness(image, file), image, file) for image in images for file in dockerfiles]
    matches: list[ImageMatch] = []
    for likeness, image, file in sorted(pairs, key=lambda pair: -pair[0]):
        if likeness >= _ALIKE and not any(image is match.image or file is match.dockerfile for match in matches):
            matches.append(ImageMatch(image, file, is_guess=True))
    return matches


def _likeness(image: DeployedImage, dockerfile: FoundDockerfile) -> float:
    return max(SequenceMatcher(None, plain_name(image.name), name).ratio() for name in dockerfile.names)
