"""The places that decide which image a service is deployed with, and what stands in the way of editing one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orbit_release.errors import InvalidError
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.manifests.image_value import ImageValue, cut
from orbit_release.manifests.mark import is_hold, mark_of
from orbit_release.manifests.names import Names
from orbit_release.manifests.placeholder import is_placeholder
from orbit_release.manifests.texts.written import Written

# What to do about an image that is unclear, by the words that say why.
_HINTS = (
    ("takes the place of", "Take that name out, or give it to the service by `image:` in the configuration."),
    ("matches no image", "Write the name as the manifests have it, or take the entry out."),
    ("are a block of text", "Write them as a mapping, below `valuesObject:`."),
    ("other values are laid over it", "Write `tag:` there: what is shared is never edited for one environment."),
    ("repeated key", "Remove one of the two."),
)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """What an entry is rendered with, and the line (from 1) of the file that decides it.

    `mark` is the text of a `# held: …` comment beside it, or beside what it overrides.
    """

    reference: ImageReference
    path: str
    line: int
    mark: str | None

    @property
    def hold(self) -> str | None:
        return self.mark if is_hold(self.mark) else None


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A deciding place: the image that is found there, and how it is written.

    `others` are the names of images that take their tag from it too. `warning` says what is not certain about it.
    """

    image: FoundImage
    value: ImageValue
    others: frozenset[str] = frozenset()
    warning: str = ""

    @property
    def repository(self) -> Repository:
        return self.image.reference.repository

    @property
    def where(self) -> str:
        return f"{self.image.path}:{self.image.line}"


@dataclass(frozen=True, slots=True, eq=False)
class RenderedImage:
    """An image of an entry; `origin` is the file of the object that runs it, `number` the object's number there.

    `workload` is what a cluster knows the object by, as it is written: kind, namespace and name. `warning` says what is
    not certain about the image. `is_idle`: an entry of `images:` that matches nothing, which says nothing of a service
    that something else deploys.
    """

    value: ImageValue
    origin: str
    number: int = 0
    workload: str = ""
    warning: str = ""
    is_idle: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ServicePlaces:
    """Where one service is deployed: its places, in order, and why it cannot be released.

    `lines` are all values that name it, also overridden ones: a mark beside any of them counts.
    """

    places: tuple[Place, ...] = ()
    faults: tuple[InvalidError, ...] = ()
    lines: tuple[Written, ...] = ()

    @property
    def images(self) -> tuple[FoundImage, ...]:
        return tuple(place.image for place in self.places)


@dataclass
class _Gathered:
    images: dict[tuple[Written, ...], RenderedImage] = field(default_factory=dict)
    faults: list[InvalidError] = field(default_factory=list)
    idle: list[InvalidError] = field(default_factory=list)
    lines: dict[Written, None] = field(default_factory=dict)


def service_places(images: Sequence[RenderedImage], names: Names) -> dict[Repository, ServicePlaces]:
    """Sort the images of entries by service; images that one value decides are one place."""
    gathered: dict[Repository, _Gathered] = {}
    for image in images:
        for repository, value in named(image.value, names):
            own = gathered.setdefault(repository, _Gathered())
            own.lines |= dict.fromkeys((*value.scalars, *value.overridden))
            if fault := fault_of(value, repository):
                (own.idle if image.is_idle else own.faults).append(fault)
            else:
                own.images.setdefault(value.deciders, replace(image, value=value))
    sharing = _names_by_value(images)
    return {repository: _placed(repository, own, sharing) for repository, own in gathered.items()}


def named(value: ImageValue, names: Names) -> Iterator[tuple[Repository, ImageValue]]:
    """Yield the repository of an image; also one that a `newName` which is not ours took its name from."""
    if repository := names.repository(value.name):
        yield repository, value
    elif names.repositories is not None:
        inner = (*value.scalars, *value.overridden)
        for lost in dict.fromkeys(filter(None, (names.repository(cut(at.value)[0]) for at in inner))):
            where = value.scalars[0].where
            yield lost, value.but_unclear(f"{where}: {value.name} takes the place of {lost}, and is not built here")


def _names_by_value(images: Iterable[RenderedImage]) -> Mapping[Written, frozenset[str]]:
    names: dict[Written, set[str]] = {}
    for image in images:
        if image.value.decider:
            names.setdefault(image.value.decider, set()).add(image.value.name)
    return {value: frozenset(own) for value, own in names.items()}


def _placed(repository: Repository, own: _Gathered, sharing: Mapping[Written, frozenset[str]]) -> ServicePlaces:
    places = [_place(repository, image, sharing) for image in own.images.values()]
    places.sort(key=lambda place: (place.image.path, place.image.line))
    faults = {fault.message: fault for fault in (*own.faults, *(() if own.images else own.idle))}
    return ServicePlaces(tuple(places), tuple(faults.values()), tuple(own.lines))


def _place(repository: Repository, image: RenderedImage, sharing: Mapping[Written, frozenset[str]]) -> Place:
    value = image.value
    at = value.decider or value.scalars[0]
    mark = mark_of((*value.scalars, *value.overridden))
    others = sharing.get(at, frozenset()) - {value.name}
    decided = FoundImage(reference_of(repository, value), at.path, at.line, mark)
    return Place(decided, value, others, image.warning)


def reference_of(repository: Repository, value: ImageValue) -> ImageReference:
    tag, digest = Tag(value.tag) if value.tag else None, Digest(value.digest) if value.digest else None
    return ImageReference(repository, tag, digest)


def fault_of(value: ImageValue, repository: Repository) -> InvalidError | None:
    """Return why an image cannot be released; None if it can."""
    if value.unclear:
        return InvalidError(value.unclear[0], _hint(value.unclear[0]))
    at = value.decider or value.scalars[0]
    if value.decider is None:
        return InvalidError(f"{at.where}: {repository} stands here without a tag", "Write a tag beside it: `latest`.")
    try:
        is_filled_in = ImageReference.parse(value.text) and not (value.tag and is_placeholder(value.tag))
    except InvalidError:
        is_filled_in = False
    if is_filled_in:
        return None
    hint = "Write `latest`, or the tag that is deployed; a release never overwrites what is still to be filled in."
    return InvalidError(f"{at.where}: {at.value!r} holds no plain tag", hint)


def _hint(why: str) -> str:
    return next((hint for words, hint in _HINTS if words in why), "Write the image plainly, as `image: NAME:TAG`.")
