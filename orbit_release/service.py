"""A service: what its image is called, what it is built from, and how."""

from __future__ import annotations

from dataclasses import dataclass, field

from orbit_release.globs import Globs
from orbit_release.image import Repository


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How the image is built; a change of any of these values is a change of the service's inputs."""

    context: str
    dockerfile: str
    platforms: tuple[str, ...] = ()
    build_args: tuple[tuple[str, str], ...] = ()

    @property
    def own_ignore_file(self) -> str:
        """The ignore file that belongs to this Dockerfile alone; BuildKit prefers it to the context's."""
        return f"{self.dockerfile}.dockerignore"

    @property
    def context_ignore_file(self) -> str:
        return ".dockerignore" if self.context == "." else f"{self.context}/.dockerignore"


@dataclass(frozen=True, slots=True)
class Service:
    """An entry under `services:` in orbit-release.yaml; one that is not deployed is only built."""

    name: str
    repository: Repository
    paths: Globs
    settings: BuildSettings
    is_deployed: bool = True
    _build_files: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        files = {self.settings.dockerfile, self.settings.own_ignore_file}
        object.__setattr__(self, "_build_files", frozenset(file.encode() for file in files))

    def is_input(self, path: bytes, *, own_ignore_file: bool) -> bool:
        """Whether the image is built from this file.

        `own_ignore_file`: the Dockerfile has an ignore file of its own, so the context's has no say.
        """
        if path in self._build_files or self.paths.match(path):
            return True
        return not own_ignore_file and path == self.settings.context_ignore_file.encode()
