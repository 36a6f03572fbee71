"""A manifest alone, as the only file of a repository: what is found in it, and what edits make of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orbit_release.image import Repository
from orbit_release.manifests import marking, rewrite as rewriting
from orbit_release.manifests.deployed import Deployed, Manifests, Reading, read_deployed
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.marking import MarkEdit, Unplaced
from orbit_release.manifests.places import FoundImage
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
    return Manifests.read(Files([*files], dict(files).get), Reading((".",), repositories))


def read(data: bytes, path: str, repositories: Collection[Repository] | None) -> Deployed:
    """Read a manifest; what stands in the way of a release is raised."""
    deployed = read_deployed(Files([path], {path: data}.get), Reading((path,), repositories))
    for service in deployed.services.values():
        for fault in service.faults:
            raise fault
    return deployed


def find_images(data: bytes, path: str, repositories: Collection[Repository]) -> tuple[FoundImage, ...]:
    deployed = read(data, path, repositories)
    return tuple(sorted((place.image for place in deployed.places), key=lambda image: image.line))


def rewrite(data: bytes, path: str, images: Sequence[NewImage]) -> Rewrite:
    deployed = read(data, path, {image.repository for image in images})
    places = sorted(deployed.places, key=lambda place: place.image.line)
    done = rewriting.rewrite(places, images)
    return Rewrite(done.files.get(path, data), done.edits, done.warnings)


def mark(data: bytes, path: str, marks: Mapping[Repository, str | None]) -> Marked:
    read(data, path, marks.keys())
    everything = Reading((path,))
    files = Files([path], {path: data}.get)
    before = read_deployed(files, everything)
    done = marking.mark(before.services, marks, lambda new: read_deployed(files.but(new), everything).services)
    return Marked(done.files.get(path, data), done.edits, done.unplaced, done.warnings)
