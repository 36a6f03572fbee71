"""A release: the edits of the manifests, and the commit that tells of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orbit_release.image import Repository
from orbit_release.manifests.mark import Marked, MarkEdit, Unplaced, mark
from orbit_release.manifests.rewrite import Edit, NewImage, Rewrite, rewrite


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
    manifests: Iterable[tuple[str, bytes]],
    images: Sequence[NewImage],
    marks: Mapping[Repository, str | None] | None = None,
) -> Release:
    """Set images, and marks of holds (None removes them), in manifests.

    InvalidError, and nothing is changed, if one cannot be edited safely.
    """
    changes: dict[str, ChangedManifest] = {}
    rewritten: list[Rewrite] = []
    marked: list[Marked] = []
    for path, data in manifests:
        rewritten.append(rewrite(data, path, images))
        marked.append(mark(rewritten[-1].data, path, marks or {}))
        if marked[-1].data != data:
            changes[path] = ChangedManifest(data, marked[-1].data)
    warnings = [text for manifest in rewritten for text in manifest.warnings]
    warnings += [text for manifest in marked for text in manifest.warnings]
    return Release(
        tuple(edit for manifest in rewritten for edit in manifest.edits),
        changes,
        tuple(warnings),
        tuple(edit for manifest in marked for edit in manifest.edits),
        tuple(where for manifest in marked for where in manifest.unplaced),
    )


def _diff(path: str, change: ChangedManifest) -> str:
    # str.splitlines knows seven more ends of a line than git does
    before, after = (re.findall(r"[^\n]*\n|[^\n]+", _text(data)) for data in (change.before, change.after))
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _text(data: bytes) -> str:
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if utf16 else "utf-8", "backslashreplace")
