"""Read a manifest: its text, and where in it image references stand."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.errors import InvalidError
from orbit_release.manifests.image_fields import Spot, find_spots
from orbit_release.manifests.splice import line_of, parse, span, start_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orbit_release.image import Repository

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's text and the places in it, in order, that deploy one of the repositories it was read for."""

    path: str
    bom: bytes = b""
    encoding: str = "utf-8"
    text: str = ""
    spots: tuple[Spot, ...] = ()

    def line(self, spot: Spot) -> int:
        """Return the 1-based line of a spot's value."""
        return line_of(self.text, span(self.text, spot.scalars[0])[0])

    def where(self, spot: Spot) -> str:
        """Return `path:line`, as messages start."""
        return f"{self.path}:{self.line(spot)}"

    def encoded(self, text: str) -> bytes:
        """Return another text as this manifest's bytes."""
        return self.bom + text.encode(self.encoding)


def read_manifest(data: bytes, path: str, repositories: Collection[Repository]) -> Manifest:
    """Find what deploys the repositories; a file that does not hold a repository's name is never parsed."""
    names = {repository.name: repository for repository in repositories}
    ascii_ = data.replace(b"\0", b"") if b"\0" in data else data  # names in UTF-16, in whichever order
    if not any(name.encode() in ascii_ for name in names) and b"\\" not in data:
        return Manifest(path)
    try:
        manifest = _parsed(data, path, names)
    except InvalidError:
        if any(_named(name).search(ascii_) for name in names):
            raise
        return Manifest(path)
    _refuse_repeated(manifest)
    return manifest


def _may_name(text: str, names: Iterable[str]) -> bool:
    return "\\" in text or any(name in text for name in names)


def _named(name: str) -> re.Pattern[bytes]:
    """Match a whole repository: `…/build` is not named where `…/build-service` stands."""
    whole = rf"(?<![a-zA-Z0-9._/-]){re.escape(name)}(?![a-z0-9/]|[._-]+[a-z0-9])"
    return re.compile(whole.encode())


def _parsed(data: bytes, path: str, names: dict[str, Repository]) -> Manifest:
    bom, encoding = next((one for one in _BOMS if data.startswith(one[0])), (b"", "utf-8"))
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: len(bom) + error.start].count(b"\n") + 1
        raise InvalidError(f"{path}:{line}: not {encoding.upper()}", "Save the file as UTF-8.") from error
    return Manifest(path, bom, encoding, text, tuple(spots_in(text, path, names)))


def _refuse_repeated(manifest: Manifest) -> None:
    for spot in manifest.spots:
        if key := spot.repeated:
            message = f"{manifest.path}:{line_of(manifest.text, start_of(key))}: repeated key {key.value!r}"
            raise InvalidError(message, "Remove one of the two: readers disagree about which one counts.")


def spots_in(text: str, path: str, names: dict[str, Repository]) -> list[Spot]:
    """List what deploys one of the repositories (given by name), in the order of the text."""
    documents = [one for one in parse(text, path) if _may_name(text[one.start : one.end], names)]
    return _once(spot for document in documents for spot in find_spots(document, names))


def _once(spots: Iterable[Spot]) -> list[Spot]:
    """Keep one of the spots that share their scalars through aliases, in the order of the text."""
    unique = {(*map(start_of, spot.scalars), spot.repository.name): spot for spot in spots}
    return sorted(unique.values(), key=lambda spot: start_of(spot.scalars[0]))
