"""The Dockerfiles of a repository, and the names that their images may have."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# What lies there was brought along, or shows how something is used: it is released by nobody.
_ASIDE = frozenset({"vendor", "node_modules", "testdata", "examples"})
_NAME = re.compile(r"Dockerfile(?:[.-](?P<after>[\w.-]+))?|(?P<before>[\w.-]+)\.Dockerfile")
_NO_DOCKERFILE = ("dockerignore", "md", "txt", "j2", "jinja", "tmpl", "tpl", "template", "in", "orig", "bak", "swp")
_GENERIC = frozenset({"build", "docker", "dockerfiles", "image", "src"})  # what many folders are called


@dataclass(frozen=True, slots=True)
class FoundDockerfile:
    """`names` are what its image may be called, the likeliest first; a variant is one of several in a folder."""

    path: str
    names: tuple[str, ...]
    is_variant: bool

    @property
    def folder(self) -> str:
        """The folder that it is in; `.` is the root."""
        return posixpath.dirname(self.path) or "."


def is_aside(path: str) -> bool:
    """Whether a file is in a folder of things that are not the repository's own services, or in a hidden one.

    A Dockerfile there counts only if an image has its name.
    """
    return any(folder in _ASIDE or folder.startswith(".") for folder in path.split("/")[:-1])


def find_dockerfiles(paths: Iterable[str], repository: str) -> list[FoundDockerfile]:
    """Return the Dockerfiles in order; the one at the root has the repository's own name."""
    matches = ((path, _NAME.fullmatch(posixpath.basename(path))) for path in paths if path.isprintable())
    variants = ((path, match["after"] or match["before"] or "") for path, match in matches if match)
    return [
        FoundDockerfile(path, tuple(dict.fromkeys(_names(path, variant, repository))), bool(variant))
        for path, variant in variants
        if not variant.endswith(_NO_DOCKERFILE)
    ]


def _names(path: str, variant: str, repository: str) -> Iterator[str]:
    every = path.split("/")[:-1]
    folders = [folder for folder in every if folder not in _GENERIC] or every[-1:]
    inner = plain_name(folders[-1] if folders else repository)
    if variant:
        yield plain_name(variant)
        yield f"{inner}-{plain_name(variant)}"
    yield inner
    for at in range(len(folders) - 2, -1, -1):
        yield "-".join(map(plain_name, folders[at:]))
    yield f"{plain_name(repository)}-{inner}"
    yield from map(plain_name, folders[-2::-1])


def plain_name(name: str) -> str:
    """Return a name as the name of a service: lower-case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "service"


def distance(names: Iterable[str], image: str) -> int | None:
    """Return how far down the names an image's is, with or without `-service`; None if it is not among them."""
    own = plain_name(image)
    ranks = (2 * at + (name != own) for at, name in enumerate(names) if _stem(name) == _stem(own))
    return min(ranks, default=None)


def _stem(name: str) -> str:
    return re.sub(r"-(?:service|svc)$", "", name)
