"""What is deployed: what the entries below the configuration's paths are rendered with, and where that is decided."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from orbit_release.errors import ConfigurationError, InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.entries.applied_files import entries_at
from orbit_release.manifests.entries.content import Content
from orbit_release.manifests.entries.contents import contents_of
from orbit_release.manifests.entries.environments import overlays_error, without_shared_bases
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.entries.mentions import Mention, first_places, mentions_in
from orbit_release.manifests.names import Names
from orbit_release.manifests.object_images import FieldSpec
from orbit_release.manifests.objects import is_below, is_kustomization
from orbit_release.manifests.places import FoundImage, Place, ServicePlaces, named, service_places
from orbit_release.manifests.workloads import AppliedWorkload


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What to look for: `repositories` (None: whatever is an image) below `paths`; `fields` name more image fields.

    `apart`: the images alone, of simple kustomizations file by file; what runs them is not asked for then.
    """

    paths: tuple[str, ...]
    repositories: Collection[Repository] | None = None
    fields: tuple[FieldSpec, ...] = ()
    apart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Deployed:
    """What is deployed.

    `services` has the places of each repository that has any, or that cannot be read. `broken` are the files that
    cannot be read, by path; `refused` says for what kustomize refuses to render an entry. `entries` are the files that
    each entry is made of. `absent` are the configuration's paths that have no file, `unnamed` those that name none of
    the repositories. `overlays` is the error of two overlays of one base, which are two environments.
    `unseen` says where entries take objects from that cannot be seen here.
    """

    services: Mapping[Repository, ServicePlaces] = field(default_factory=dict)
    workloads: tuple[AppliedWorkload, ...] = ()
    broken: Mapping[str, InvalidError] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    entries: tuple[frozenset[str], ...] = ()
    absent: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    overlays: ConfigurationError | None = None
    unseen: tuple[str, ...] = ()

    def __getitem__(self, repository: Repository) -> tuple[FoundImage, ...]:
        """Return what a repository is deployed with; nothing where no entry names it."""
        return self.services[repository].images if repository in self.services else ()

    def faults(self, repository: Repository) -> tuple[InvalidError, ...]:
        """Return why what a repository is deployed with is not certain."""
        return self.services[repository].faults if repository in self.services else ()

    @property
    def files(self) -> frozenset[str]:
        """The files that entries are made of."""
        return frozenset().union(*self.entries)

    def made_of(self, repositories: Iterable[Repository]) -> frozenset[str]:
        """Return the files that decide what repositories are deployed with, now or after an edit of one of them."""
        paths = {image.path for repository in repositories for image in self[repository]}
        return frozenset(paths).union(*(files for files in self.entries if len(files) > 1 and files & paths))

    @property
    def places(self) -> Iterator[Place]:
        for service in self.services.values():
            yield from service.places


@dataclass(frozen=True, slots=True, eq=False)
class Manifests:
    """The files of a commit or a working tree, and what they deploy."""

    files: Files
    search: Search
    deployed: Deployed

    @classmethod
    def read(cls, files: Files, search: Search) -> Manifests:
        return cls(files, search, read_deployed(files, search))

    def mentions(self) -> list[Mention]:
        """Return where services are named as text, with a tag that no release changes."""
        services = self.deployed.services.values()
        known = [value for service in services for value in service.lines]
        return list(mentions_in(self.deployed.files, self.files, Names(self.search.repositories), known))

    def only_named(self) -> Mapping[Repository, str]:
        """Return `path:line` where repositories that nothing deploys are named all the same."""

        def look() -> dict[Repository, str]:
            left = {*(self.search.repositories or ())} - self.deployed.services.keys()
            return first_places(Names(left), {*self.deployed.files, *self.files.names}, self.files)

        return self.files.once("\0only named", look, lambda _: self.files.names)

    def is_left_out(self, where: str) -> bool:
        """Whether a `path:line` is in a manifest that a kustomization above it leaves out."""
        path, _, _ = where.rpartition(":")
        folders = {posixpath.dirname(name) for name in self.files.names if is_kustomization(name)}
        return path not in self.deployed.files and any(is_below(path, folder) for folder in folders)

    def warnings(self, repositories: Collection[Repository]) -> list[str]:
        """Return what to know of the manifests of some repositories, each as `path:line: why`."""
        broken = [
            f"{fault.message}: what it names is left alone, and Argo CD cannot render its entry until it is mended"
            for fault in self.deployed.broken.values()
        ]
        told = self.deployed.broken.values()
        faults = [
            f"{fault.message}; {fault.hint}"
            for repository in repositories
            for fault in self.deployed.faults(repository)
            if fault not in told
        ]
        refused = [f"{why}: kustomize refuses to render that" for why in self.deployed.refused]
        doubts = [place.warning for place in self.deployed.places if place.repository in repositories and place.warning]
        mentions = [
            f"{mention.where}: {mention.text} stands here, where no release changes it"
            for mention in self.mentions()
            if mention.repository in repositories and not self.deployed.faults(mention.repository)
        ]
        return list(dict.fromkeys((*broken, *faults, *refused, *doubts, *mentions)))

    def but(self, changes: Mapping[str, bytes]) -> Manifests:
        """Return them with other bytes in some files; what these do not concern is not read again."""
        return Manifests.read(self.files.but(changes), self.search) if changes else self


def read_deployed(files: Files, search: Search) -> Deployed:
    """Read what is deployed; what cannot be read is told of, and never raised."""
    names = Names(search.repositories)
    by_path = {path: list(_contents(path, files, names, search)) for path in search.paths}
    contents = [*chain.from_iterable(by_path.values())]
    services = service_places([image for content in contents for image in content.images], names)
    services = without_shared_bases(services, contents, files)
    broken = {path: fault for content in contents for path, fault in content.faults.items()}
    for path, fault in broken.items():
        for repository in _stopped_by(path, files, names, contents, services):
            service = services.get(repository, ServicePlaces())
            services[repository] = replace(service, faults=(*service.faults, fault))
    return Deployed(
        services,
        tuple(workload for content in contents for workload in content.workloads),
        broken,
        tuple(dict.fromkeys(why for content in contents for why in content.refused)),
        tuple(content.files for content in contents),
        absent=tuple(path for path, there in by_path.items() if not there),
        unnamed=tuple(path for path, there in by_path.items() if there and not _names_any(there, names)),
        overlays=next(filter(None, (overlays_error(path, there, names) for path, there in by_path.items())), None),
        unseen=tuple(dict.fromkeys(why for content in contents for why in content.unseen)),
    )


def _names_any(contents: Sequence[Content], names: Names) -> bool:
    """Whether entries name a service; what cannot be read may."""
    values = (image.value for content in contents for image in content.images)
    return any(content.faults for content in contents) or any(True for value in values for _ in named(value, names))


def _contents(path: str, files: Files, names: Names, search: Search) -> Iterator[Content]:
    return contents_of(entries_at(path, files), files, names, search.fields, apart=search.apart)


def _stopped_by(
    path: str, files: Files, names: Names, contents: Iterable[Content], known: Collection[Repository]
) -> set[Repository]:
    """Return the repositories that a file names; of a kustomization, also those of its entry, as far as it is known.

    What nothing else deploys may be a part of it.
    """
    entries = [content for content in contents if content.is_stopped and path in content.files]
    stopped = {path}.union(*(entry.files for entry in entries))
    unknown = {*(names.repositories or ())} - {*known} if entries and is_kustomization(path) else set()
    return unknown.union(*(names.named_in(files.read(file) or b"") for file in stopped))
