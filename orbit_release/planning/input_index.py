"""Which services a file is an input of, without asking each of them about each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from orbit_release.globs import literal_start
from orbit_release.manifests.objects import KUSTOMIZATIONS, is_manifest
from orbit_release.service import Service

_KUSTOMIZATIONS = frozenset(name.encode() for name in KUSTOMIZATIONS)


class InputIndex:
    """The services, by the files and folders that their inputs are, or are below.

    `is_edited` says whether a release may edit a file, which is then no input of any service. It is asked only about
    what a service selects and what by its name can be a manifest. `has_own_ignore_file` says whether the Dockerfile of
    a service has an ignore file of its own, so that the context's has no say.
    """

    def __init__(
        self,
        services: Iterable[Service],
        has_own_ignore_file: Callable[[Service], bool],
        is_edited: Callable[[bytes], bool],
    ) -> None:
        self._has_own_ignore_file = has_own_ignore_file
        self._is_edited = is_edited
        self._below: dict[bytes, list[Service]] = {}
        self._known: dict[bytes, frozenset[str]] = {}
        for service in services:
            for start in _starts(service):
                self._below.setdefault(start, []).append(service)

    def services_of(self, path: bytes) -> frozenset[str]:
        """Return the names of the services that a file is an input of."""
        if path not in self._known:
            candidates = chain.from_iterable(self._below.get(start, ()) for start in _around(path))
            names = frozenset(service.name for service in candidates if self._selects(service, path))
            edited = bool(names) and _may_be_edited(path) and self._is_edited(path)
            self._known[path] = frozenset() if edited else names
        return self._known[path]

    def _selects(self, service: Service, path: bytes) -> bool:
        is_ignore_file = path == service.settings.context_ignore_file.encode()
        has_own = not is_ignore_file or self._has_own_ignore_file(service)
        return service.is_input(path, own_ignore_file=has_own)


def _starts(service: Service) -> set[bytes]:
    globs = (glob for glob in service.paths.globs if not glob.startswith("!"))
    settings = service.settings
    files = (settings.dockerfile, settings.own_ignore_file, settings.context_ignore_file)
    return {*map(literal_start, globs), *(file.encode() for file in files)}


def _around(path: bytes) -> Iterator[bytes]:
    """Yield a path, and the folders around it up to the root, b""."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]
    yield b""


def _may_be_edited(path: bytes) -> bool:
    return is_manifest(path) or path.rpartition(b"/")[2] in _KUSTOMIZATIONS
