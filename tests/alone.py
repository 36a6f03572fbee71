"""A manifest alone, as the only file of a repository: what is found in it, and what edits make of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.image import Repository
from orbit_release.manifests import marking, rewrite as rewriting
from orbit_release.manifests.deployed import Manifests, Search
from orbit_release.manifests.entries.content import plain_content
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.marking import MarkEdit, Unplaced
from orbit_release.manifests.names import Names
from orbit_release.manifests.places import FoundImage, Place, ServicePlaces, service_places
from orbit_release.manifests.rewrite import Edit, NewImage


@dataclass(frozen=True)
class Rewrite:
    data: bytes
    edits: tuple[Edit, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Marked:
    data: bytes
    edits: tuple[MarkEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    warnings: tuple[str, ...] = ()


def manifests_of(files: Mapping[str, bytes], repositories: Collection[Repository]) -> Manifests:
    """Read the manifests of a repository that has no other files."""
    return Manifests.read(Files([*files], dict(files).get), Search((".",), repositories))


def read(files: Files, path: str, repositories: Collection[Repository] | None) -> dict[Repository, ServicePlaces]:
    """Read a file that is applied as it stands."""
    return service_places([*plain_content(path, files, Names(repositories), ()).images], Names(repositories))


def services_in(files: Files, path: str, repositories: Collection[Repository]) -> dict[Repository, ServicePlaces]:
    """Read a file; what stands in the way of a release is raised."""
    names = Names(repositories)
    content = plain_content(path, files, names, ())
    services = read(files, path, repositories)
    faults = [fault for fault in content.faults.values() if names.named_in(files.read(path) or b"")]
    for fault in (*faults, *(fault for service in services.values() for fault in service.faults)):
        raise fault
    return services


def file_of(data: bytes, path: str) -> Files:
    return Files([path], {path: data}.get)


def places_of(data: bytes, path: str, repositories: Collection[Repository]) -> list[Place]:
    services = services_in(file_of(data, path), path, repositories).values()
    return sorted((place for service in services for place in service.places), key=lambda place: place.image.line)


def find_images(data: bytes, path: str, repositories: Collection[Repository]) -> tuple[FoundImage, ...]:
    return tuple(place.image for place in places_of(data, path, repositories))


def rewrite(data: bytes, path: str, images: Sequence[NewImage]) -> Rewrite:
    places = places_of(data, path, {image.repository for image in images})
    done = rewriting.rewrite(places, images)
    return Rewrite(done.files.get(path, data), done.edits, done.warnings)


def mark(data: bytes, path: str, marks: Mapping[Repository, str | None]) -> Marked:
    files = file_of(data, path)
    services_in(files, path, marks.keys())
    done = marking.mark(read(files, path, None), marks, lambda new: read(files.but(new), path, None))
    return Marked(done.files.get(path, data), done.edits, done.unplaced, done.warnings)
