"""Environments that share manifests: overlays of one base, and bases that other kustomizations include as well."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from orbit_release.errors import ConfigurationError, InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.entries.applied_files import included
from orbit_release.manifests.entries.content import Content
from orbit_release.manifests.entries.files import Files
from orbit_release.manifests.names import Names
from orbit_release.manifests.objects import is_below
from orbit_release.manifests.places import Place, ServicePlaces, named


def overlays_error(path: str, contents: Sequence[Content], names: Names) -> ConfigurationError | None:
    """Return the error of a path with two entries that deploy a service by one object: they are two environments.

    So they are as well with copies of an object that one cluster would take for the same.
    """
    entries: dict[tuple[Repository, str], dict[str, None]] = {}
    for content in contents:
        for entry, repository, origin in _deploying(content, names):
            entries.setdefault((repository, origin), {})[entry] = None
    shared = next(((key[0], [*own]) for key, own in entries.items() if len(own) > 1), None)
    if shared is None:
        return None
    repository, folders = shared
    message = f"manifests: {path} holds {len(folders)} environments of {repository}: {', '.join(folders)}"
    only = f"name one, `manifests: {folders[0]}`"
    hint = f"{only}; give each other one a configuration of its own, and name it by --config."
    return ConfigurationError(message, hint)


def _deploying(content: Content, names: Names) -> Iterator[tuple[str, Repository, str]]:
    """Yield the environment, the service and the object of each image of an entry that shares objects with others."""
    is_chart = not content.kustomizations and len(content.files) > 1
    for image in content.images if content.kustomizations or is_chart else ():
        if image.origin not in content.kustomizations:  # an entry of `images:` is no object
            entry = image.origin if is_chart else posixpath.dirname(next(iter(content.kustomizations))) or "."
            origin = min(content.files) if is_chart else f"{image.origin}:{image.number}"
            for repository, _ in named(image.value, names):
                yield from ((entry, repository, key) for key in (origin, image.workload) if key)


def without_shared_bases(
    services: Mapping[Repository, ServicePlaces], contents: Sequence[Content], files: Files
) -> dict[Repository, ServicePlaces]:
    """Let no service be released whose deciding place another environment includes as well.

    Whatever kustomization of the repository includes it counts, but for those that include the whole entry.
    """
    own = {path for content in contents for path in content.kustomizations}
    owners = {
        file: [*content.kustomizations]
        for content in contents
        if len(content.kustomizations) > 1
        for file in content.files
    }
    if not owners:
        return dict(services)
    others = _Includes(files, own)
    return {repository: _without(repository, service, owners, others) for repository, service in services.items()}


def _without(
    repository: Repository, service: ServicePlaces, owners: Mapping[str, list[str]], others: _Includes
) -> ServicePlaces:
    faults = [fault for place in service.places for fault in _fault(repository, place, owners, others)]
    unique = {fault.message: fault for fault in faults}
    return replace(service, faults=(*service.faults, *unique.values())) if unique else service


def _fault(
    repository: Repository, place: Place, owners: Mapping[str, list[str]], others: _Includes
) -> Iterator[InvalidError]:
    kustomizations = owners.get(place.image.path, [""])
    owner, root = _owner(place.image.path, kustomizations), kustomizations[0]
    outer = others.of(owner, root) if owner and owner != root else None
    if outer:
        tag = place.image.reference.tag or "latest"
        message = f"{place.where}: this decides the image of {repository}, and {outer} includes it as well"
        entry = f"`- name: {place.value.name}` with `newTag: {tag}`"
        hint = f"add {entry} to the `images:` of {root}: it then decides there alone."
        yield InvalidError(message, hint)


def _owner(path: str, kustomizations: Iterable[str]) -> str | None:
    """Return the kustomization that a file belongs to: the nearest above it."""
    above = [name for name in kustomizations if name and is_below(path, posixpath.dirname(name))]
    return max(above, key=len, default=None)


class _Includes:
    """The kustomizations of the repository that are no part of our entries, and what they include."""

    def __init__(self, files: Files, own: Collection[str]) -> None:
        self._files = files
        self._outer = sorted(set(files.kustomizations()) - set(own))
        self._reached: dict[str, frozenset[str]] = {}

    def of(self, owner: str, root: str) -> str | None:
        """Return one that includes a kustomization, and not by the root of our entry."""
        reaching = ((path, self._below(path)) for path in self._outer)
        return next((path for path, below in reaching if owner in below and root not in below), None)

    def _below(self, path: str) -> frozenset[str]:
        if path not in self._reached:
            self._reached[path] = frozenset(included(path, self._files))
        return self._reached[path]
