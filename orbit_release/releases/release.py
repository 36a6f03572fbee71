"""A release: the edits of the manifests, and the commit that tells of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.errors import InvalidError
from orbit_release.image import Repository
from orbit_release.manifests.deployed import Deployed, Manifests
from orbit_release.manifests.marking import MarkEdit, Unplaced, mark
from orbit_release.manifests.places import FoundImage
from orbit_release.manifests.rewrite import Edit, NewImage, rewrite


@dataclass(frozen=True, slots=True)
class ChangedManifest:
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """What a release changes: references, the marks of holds, and the manifests by path.

    `unplaced` tells where a mark cannot stand.
    """

    edits: tuple[Edit, ...] = ()
    changes: Mapping[str, ChangedManifest] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    marks: tuple[MarkEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()

    @property
    def files(self) -> dict[str, bytes]:
        """The new bytes of each changed manifest, by path."""
        return {path: change.after for path, change in self.changes.items()}

    def diff(self) -> str:
        return "".join(_diff(path, change) for path, change in self.changes.items())


def plan_release(
    manifests: Manifests, images: Sequence[NewImage], marks: Mapping[Repository, str | None] | None = None
) -> Release:
    """Set images, and marks of holds (None removes them), in the places that decide them.

    InvalidError, and nothing is changed, if one cannot be edited safely: what the entries are rendered with afterwards
    is read again, and held to what was wanted.
    """
    wanted = marks or {}
    for repository in dict.fromkeys((*(image.repository for image in images), *wanted)):
        for fault in manifests.deployed.faults(repository):
            raise fault
    rewritten = rewrite(manifests.deployed.places, images)
    bumped = manifests.but(rewritten.files)
    _prove(manifests.deployed, bumped.deployed, rewritten.edits)
    marked = mark(bumped.deployed.services, wanted, lambda files: bumped.but(files).deployed.services)
    changes = {
        path: ChangedManifest(manifests.files.read(path) or b"", after)
        for path, after in sorted({**rewritten.files, **marked.files}.items())
    }
    concerned = {*(edit.after.repository for edit in rewritten.edits), *wanted}
    warnings = (*rewritten.warnings, *marked.warnings, *(bumped.warnings(concerned) if changes else ()))
    return Release(rewritten.edits, changes, warnings, marked.edits, marked.unplaced)


def _prove(before: Deployed, after: Deployed, edits: Iterable[Edit]) -> None:
    """Raise InvalidError unless what is rendered changed by the edits, and by nothing else.

    Images that take their tag from one value move together; `rewrite` warns of it.
    """
    wanted = {(edit.path, edit.line, edit.before): edit.after for edit in edits}
    shared = {(edit.path, edit.line): edit.after for edit in edits}
    for repository, service in before.services.items():
        now = after[repository]
        if len(now) != len(service.places):
            raise _not_as_wanted(service.images[0])
        for place, image in zip(service.places, now, strict=True):
            old = place.image
            expected = wanted.get((old.path, old.line, old.reference), old.reference)
            moved = shared.get((old.path, old.line)) if place.others else None
            if image.reference != expected and (moved is None or moved.tag != image.reference.tag):
                raise _not_as_wanted(old)
    for why in after.refused:
        if why not in before.refused:
            raise InvalidError(f"{why} after the release", "Edit this file by hand, or write it without that.")


def _not_as_wanted(image: FoundImage) -> InvalidError:
    message = f"{image.path}:{image.line}: the change would not deploy what it should"
    return InvalidError(message, "Edit this file by hand, or write it in plainer YAML.")


def _diff(path: str, change: ChangedManifest) -> str:
    # str.splitlines knows seven more ends of a line than git does
    before, after = (re.findall(r"[^\n]*\n|[^\n]+", _text(data)) for data in (change.before, change.after))
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _text(data: bytes) -> str:
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if utf16 else "utf-8", "backslashreplace")
