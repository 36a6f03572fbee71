"""Which image is built from which Dockerfile, by their names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from orbit_release.init.dockerfiles import Dockerfile, distance, plain_name
from orbit_release.init.images import DeployedImage

_ALIKE = 0.7  # `temporal-worker` and `temporal-workflows` are; `api` and `app` are not


@dataclass(frozen=True, slots=True)
class Match:
    """An image and its Dockerfile; `rivals` are Dockerfiles that would do as well, `others` other images of it."""

    image: DeployedImage
    dockerfile: Dockerfile
    rivals: tuple[str, ...] = ()
    others: tuple[DeployedImage, ...] = ()
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class Matching:
    """All matches; `prefix` is what most of their images begin with, and the rest is what is left over.

    `namesakes` are images that have the names of Dockerfiles which are left over, by the paths of these.
    """

    prefix: str
    matches: tuple[Match, ...]
    images: tuple[DeployedImage, ...]
    dockerfiles: tuple[Dockerfile, ...]
    namesakes: Mapping[str, DeployedImage] = field(default_factory=dict)


def match(dockerfiles: Sequence[Dockerfile], images: Sequence[DeployedImage]) -> Matching:
    """Pair images with Dockerfiles: by the nearest name, and what is left below the common prefix by likeness."""
    prefix = _common_prefix(dockerfiles, images)
    named = _named(dockerfiles, images, prefix)
    left = _left(dockerfiles, images, named, prefix)
    guessed = _alike(*left)
    found = tuple(sorted((*named, *guessed), key=lambda one: one.image.name))
    over = _left(dockerfiles, images, found, prefix)
    return Matching(prefix, found, tuple(over[0]), tuple(over[1]), _namesakes(over[1], images, found))


def _namesakes(
    dockerfiles: Iterable[Dockerfile], images: Sequence[DeployedImage], matches: Iterable[Match]
) -> dict[str, DeployedImage]:
    """Return the image that is nearest by its name to each Dockerfile, of any owner; those without a service first."""
    built = {one.image.repository for one in matches}
    ranks = ((one.path, image, distance(one.names, image.name)) for one in dockerfiles for image in images)
    named = [(image.repository in built, rank, path, image) for path, image, rank in ranks if rank is not None]
    return {path: image for _, _, path, image in sorted(named, key=lambda one: one[:2], reverse=True)}


def _common_prefix(dockerfiles: Iterable[Dockerfile], images: Iterable[DeployedImage]) -> str:
    """Return the prefix that most names of Dockerfiles were found with; a name alone can be pushed nowhere."""
    known = [one.names for one in dockerfiles]
    found = [one for one in images if one.prefix and any(distance(names, one.name) is not None for names in known)]
    counted = Counter(one.prefix for one in found)
    return max(counted, key=lambda prefix: (counted[prefix], _is_with_host(prefix)), default="")


def _is_with_host(prefix: str) -> bool:
    return "." in prefix.partition("/")[0]


@dataclass(frozen=True, slots=True)
class _Pair:
    rank: int
    dockerfile: Dockerfile
    image: DeployedImage
    others: tuple[DeployedImage, ...]


def _named(dockerfiles: Iterable[Dockerfile], images: Iterable[DeployedImage], prefix: str) -> list[Match]:
    """Take the nearest pairs first; nothing is taken twice."""
    found: dict[str, Match] = {}
    taken: set[str] = set()
    pairs = _pairs(list(dockerfiles), images, prefix)
    for pair in pairs:
        if pair.image.name not in found and pair.dockerfile.path not in taken:
            same = [one.dockerfile.path for one in pairs if one.image is pair.image and one.rank == pair.rank]
            rivals = tuple(path for path in same if path not in {*taken, pair.dockerfile.path})
            taken.add(pair.dockerfile.path)
            found[pair.image.name] = Match(pair.image, pair.dockerfile, rivals, pair.others)
    return list(found.values())


def _pairs(dockerfiles: Sequence[Dockerfile], images: Iterable[DeployedImage], prefix: str) -> list[_Pair]:
    by_name: defaultdict[str, list[DeployedImage]] = defaultdict(list)
    order = sorted(images, key=lambda one: (one.prefix != prefix, not _is_own(one.prefix, prefix), one.repository.name))
    for image in order:
        by_name[image.name].append(image)
    found = [
        _Pair(rank, one, image, tuple(others))
        for image, *others in by_name.values()
        for one in dockerfiles
        if _is_own(image.prefix, prefix) and (rank := distance(one.names, image.name)) is not None
    ]
    return sorted(found, key=lambda one: (one.rank, one.dockerfile.is_aside, one.dockerfile.path))


def _is_own(prefix: str, common: str) -> bool:
    """Whether images with a prefix are the owner's who has the common one: of the same host and first folder."""
    return _owner(prefix) == _owner(common)


def _owner(prefix: str) -> list[str]:
    return prefix.split("/")[: 1 + _is_with_host(prefix)]


def _left(
    dockerfiles: Iterable[Dockerfile], images: Iterable[DeployedImage], matches: Iterable[Match], prefix: str
) -> tuple[list[DeployedImage], list[Dockerfile]]:
    """Return the images below the prefix, and the Dockerfiles of their own, that are in no match."""
    built = {one.image.name for one in matches}
    taken = {one.dockerfile.path for one in matches}
    folders = {one.dockerfile.folder for one in matches}
    named = [one for one in images if prefix and one.prefix == prefix and one.name not in built]
    own = [one for one in dockerfiles if not one.is_aside and one.path not in taken]
    return named, [one for one in own if not (one.is_variant and one.folder in folders)]


def _alike(images: Iterable[DeployedImage], dockerfiles: Sequence[Dockerfile]) -> list[Match]:
    """Pair what is most alike, if each of the two has no one nearer."""
    pairs = [(_likeness(image, one), image, one) for image in images for one in dockerfiles]
    found: list[Match] = []
    for likeness, image, one in sorted(pairs, key=lambda pair: -pair[0]):
        free = not any(image is other.image or one is other.dockerfile for other in found)
        if likeness >= _ALIKE and free:
            found.append(Match(image, one, is_guess=True))
    return found


def _likeness(image: DeployedImage, dockerfile: Dockerfile) -> float:
    wanted = plain_name(image.name)
    return max(SequenceMatcher(None, wanted, name).ratio() for name in dockerfile.names)
