"""Read a manifest: its text, and where in it image references stand."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from orbit_release.errors import InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.image_fields import Image, Placeholder, Spot, find_spots
from orbit_release.manifests.splice import span
from orbit_release.manifests.yaml_nodes import decoded, line_of, parse, start_of


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's text and the places in it, in order, that deploy one of the repositories it was read for."""

    path: str
    text: str = ""
    bom: bytes = b""
    encoding: str = "utf-8"
    spots: tuple[Spot, ...] = ()

    @property
    def images(self) -> list[Image]:
        """The spots that hold an image: placeholders do not."""
        return [spot for spot in self.spots if not isinstance(spot, Placeholder)]

    def line(self, spot: Spot) -> int:
        """Return the line, from 1, that a spot's value starts on."""
        return line_of(self.text, span(self.text, spot.scalars[0])[0])

    def where(self, spot: Spot) -> str:
        """Return `path:line`, as messages start."""
        return f"{self.path}:{self.line(spot)}"

    def encoded(self, text: str) -> bytes:
        return self.bom + text.encode(self.encoding)


def read_manifest(data: bytes, path: str, repositories: Collection[Repository]) -> Manifest:
    """Find what deploys the repositories; a file that does not hold a repository's name is never parsed."""
    names = {repository.name: repository for repository in repositories}
    ascii_ = data.replace(b"\0", b"") if b"\0" in data else data  # names in UTF-16, in whichever order
    if not any(name.encode() in ascii_ for name in names) and b"\\" not in data:
        return Manifest(path)
    try:
        text, bom, encoding = decoded(data, path)
        manifest = Manifest(path, text, bom, encoding, spots_in(text, path, names))
    except InvalidError:
        if any(_named(name).search(ascii_) for name in names):
            raise
        return Manifest(path)
    for key in filter(None, (spot.repeated for spot in manifest.spots)):
        message = f"{path}:{line_of(text, start_of(key))}: repeated key {key.value!r}"
        raise InvalidError(message, "Remove one of the two: readers disagree about which one counts.")
    return manifest


def _named(name: str) -> re.Pattern[bytes]:
    """Match a whole repository: `…/build` is not named where `…/build-service` stands."""
    whole = rf"(?<![a-zA-Z0-9._/-]){re.escape(name)}(?![a-z0-9/]|[._-]+[a-z0-9])"
    return re.compile(whole.encode())


def spots_in(text: str, path: str, names: dict[str, Repository]) -> tuple[Spot, ...]:
    """Return what deploys one of the repositories (given by name), in the order of the text."""
    spots: dict[tuple[int | str, ...], Spot] = {}
    for document in parse(text, path):
        written = text[document.start : document.end]
        if "\\" in written or any(name in written for name in names):
            # Aliases lead to the same scalars: such spots are one.
            for spot in find_spots(document.root, names):
                spots[*map(start_of, spot.scalars), spot.repository.name] = spot
    return tuple(sorted(spots.values(), key=lambda spot: start_of(spot.scalars[0])))
