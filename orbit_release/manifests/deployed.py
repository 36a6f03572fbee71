"""What is deployed: what the entries below the configuration's paths are rendered with, and where that is decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orbit_release.errors import ConfigurationError, InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.content import Content, kustomized, plain_content
from orbit_release.manifests.entries import entries_at
from orbit_release.manifests.files import Files
from orbit_release.manifests.names import Names
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.places import FoundImage, Place, ServicePlaces, service_places
from orbit_release.manifests.workloads import AppliedWorkload


@dataclass(frozen=True, slots=True)
class Reading:
    """What to look for: `repositories` (None: whatever is an image) below `paths`; `fields` name more image fields."""

    paths: tuple[str, ...]
    repositories: Collection[Repository] | None = None
    fields: tuple[FieldSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is deployed.

    `services` has the places of each repository that has any, or that cannot be read. `broken` are the files that
    cannot be read, by path; `empty` the configuration's paths that have no file. `overlays` is the error of two
    overlays of one base, which are two environments.
    """

    services: Mapping[Repository, ServicePlaces] = field(default_factory=dict)
    workloads: tuple[AppliedWorkload, ...] = ()
    broken: Mapping[str, InvalidError] = field(default_factory=dict)
    files: Collection[str] = ()
    mentions: tuple[Mention, ...] = ()
    overlays: ConfigurationError | None = None

    def __getitem__(self, repository: Repository) -> tuple[FoundImage, ...]:
        """Return what a repository is deployed with; nothing where no entry names it."""
        return self.services[repository].images if repository in self.services else ()

    def faults(self, repository: Repository) -> tuple[InvalidError, ...]:
        """Return why what a repository is deployed with is not certain."""
        return self.services[repository].faults if repository in self.services else ()

    @property
    def places(self) -> Iterator[Place]:
        for service in self.services.values():
            yield from service.places


@dataclass(frozen=True, slots=True)
class Mention:
    """A value that names an image and that no release changes; `where` is `path:line`."""

    repository: Repository
    where: str
    text: str


def read_deployed(files: Files, reading: Reading) -> Deployed:
    """Read what is deployed; what cannot be read is told of, and never raised."""
    names = Names(reading.repositories)
    contents = [content for path in reading.paths for content in _contents(path, files, names, reading.fields)]
    services = service_places([image for content in contents for image in content.images], names)
    for path, fault in _faults(contents):
        for repository in _stopped_by(path, files, names, contents):
            own = services.get(repository, ServicePlaces())
            services[repository] = replace(own, faults=(*own.faults, fault))
    return Deployed(
        services,
        tuple(workload for content in contents for workload in content.workloads),
        dict(_faults(contents)),
        frozenset().union(*(content.files for content in contents)),
    )


def _contents(path: str, files: Files, names: Names, specs: Sequence[FieldSpec]) -> Iterator[Content]:
    entries = entries_at(path, files)
    reached: set[str] = set()
    for kustomization in entries.kustomizations:
        content = files.once(kustomization, lambda: kustomized(kustomization, files, names, specs), lambda made: made.files)
        reached |= content.files
        yield content
    for other in entries.others:
        if other not in reached and not entries.is_rooted:
            yield files.once(other, lambda: plain_content(other, files, names, specs), lambda made: made.files)


def _faults(contents: Iterable[Content]) -> Iterator[tuple[str, InvalidError]]:
    for content in contents:
        yield from content.faults.items()


def _stopped_by(path: str, files: Files, names: Names, contents: Iterable[Content]) -> set[Repository]:
    """Return the repositories that a file names, or its entry, if a kustomization of that cannot be read."""
    stopped = {path, *(file for content in contents if content.is_stopped and path in content.files for file in content.files)}
    return {repository for file in stopped for repository in names.named_in(files.read(file) or b"")}
