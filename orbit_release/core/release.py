"""A release: the edits of the manifests, and the commit that tells of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from orbit_release.core.graph import Commit
from orbit_release.core.hold import Marked, MarkEdit, Unplaced, mark
from orbit_release.core.image import Repository
from orbit_release.core.manifest import Edit, NewImage, Rewrite, is_hold, rewrite

# No `@` in host and path: credentials that break the rules of addresses must not slip into either.
_SCP_ADDRESS = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[\w.-]+/.*)")
_WEB_SCHEMES = ("https", "http", "ssh", "git")
_PLAIN = re.compile(r"[\w.~-]+(?:/[\w.~-]+)+")


@dataclass(frozen=True, slots=True)
class Change:
    """A manifest before and after."""

    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """What a release changes: references, the marks of holds, and the manifests by path.

    `unplaced` tells where a mark cannot stand.
    """

    edits: tuple[Edit, ...] = ()
    changes: Mapping[str, Change] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    marks: tuple[MarkEdit, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()

    @property
    def files(self) -> dict[str, bytes]:
        """The new bytes of each changed manifest."""
        return {path: change.after for path, change in self.changes.items()}

    def diff(self) -> str:
        """Return a unified diff of the manifests, for people to read."""
        return "".join(_diff(path, change) for path, change in self.changes.items())


def plan_release(
    manifests: Iterable[tuple[str, bytes]],
    images: Sequence[NewImage],
    marks: Mapping[Repository, str | None] | None = None,
) -> Release:
    """Set images, and marks of holds (None removes them), in manifests.

    InvalidError, and nothing is changed, if one cannot be edited safely.
    """
    changes: dict[str, Change] = {}
    rewritten: list[Rewrite] = []
    marked: list[Marked] = []
    for path, data in manifests:
        rewritten.append(rewrite(data, path, images))
        marked.append(mark(rewritten[-1].data, path, marks or {}))
        if marked[-1].data != data:
            changes[path] = Change(data, marked[-1].data)
    return Release(
        tuple(edit for one in rewritten for edit in one.edits),
        changes,
        (*(text for one in rewritten for text in one.warnings), *(text for one in marked for text in one.warnings)),
        tuple(edit for one in marked for edit in one.edits),
        tuple(where for one in marked for where in one.unplaced),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One service's way from one reference to the next.

    `commits` lie between the commits `base` and `head`, as far as these are known. Those that go out, because it
    goes back, are `leaving`, the newest of them first.
    """

    service: str
    before: str
    after: str
    base: str | None = None
    head: str | None = None
    commits: int | None = None
    image: str = ""
    leaving: tuple[Commit, ...] = ()

    @property
    def distance(self) -> str:
        """How many commits come in or go out, as text; "" where that is not known."""
        out = " out" if self.leaving else ""
        return f"{self.commits} commit{'s' if self.commits > 1 else ''}{out}" if self.commits else ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a release says of itself: its steps, the monorepo's web address (or ""), and a subject of one's own.

    `verb` says what is done; `holds` has, by service, the mark that is set (None: it is taken away).
    """

    steps: tuple[Step, ...]
    source: str = ""
    subject: str = ""
    verb: str = "release"
    holds: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """One line: the services, and their tag if it is one."""
        tags = {step.after for step in self.steps}
        names = [step.service for step in self.steps] or list(self.holds)
        what = names[0] if len(names) == 1 else f"{len(names)} services"
        return self.subject or f"{self.verb}: {what}{f' {tags.pop()}' if len(tags) == 1 else ''}"

    def message(self) -> str:
        """Return the message of the release commit: a title, a line for each service, and trailers for machines."""
        lines = [f"{step.service}: {step.before} -> {step.after}{self._about(step)}" for step in self.steps]
        # The reason is in the manifest: here GitHub would notify `@name`, and close what `Fixes #1` names.
        lines += [f"{service}: {'held' if is_hold(mark) else 'not held'}" for service, mark in self.holds.items()]
        trailers = [f"Orbit-Release: {step.service} {step.after}" for step in self.steps]
        return "\n\n".join(filter(None, (self.title, "\n".join(lines), "\n".join(trailers)))) + "\n"

    def compare_link(self, step: Step) -> str:
        """Return the address that shows a step's commits, or ""."""
        return f"{self.source}/compare/{step.base}...{step.head}" if self.source and step.commits else ""

    def _about(self, step: Step) -> str:
        about = ", ".join(filter(None, (step.distance, self.compare_link(step))))
        return f" ({about})" if about else ""


def hold_text(mark: str | None) -> str:
    """Return what a mark says, as text."""
    return f"held: {mark}" if is_hold(mark) else "not held"


def steps_of(edits: Iterable[Edit], names: Mapping[Repository, str]) -> dict[str, Edit]:
    """Return one edit for each service, in order; several manifests may carry a service's reference."""
    found: dict[str, Edit] = {}
    for edit in edits:
        found.setdefault(names[edit.after.repository], edit)
    return found


def web_address(remote: str) -> str:
    """Return a repository's https address, or "" for a remote that has none that is surely free of credentials."""
    scp = _SCP_ADDRESS.fullmatch(remote)
    try:
        url = urlsplit(f"ssh://{scp['host']}/{scp['path']}" if scp else remote)
        port = url.port
    except ValueError:  # brackets or digits where none belong
        return ""
    path = url.path.removesuffix("/").removesuffix(".git")
    if url.scheme not in _WEB_SCHEMES or url.query or url.fragment or not _PLAIN.fullmatch(f"{url.hostname}{path}"):
        return ""
    is_web_port = url.scheme == "https" and port not in (None, 443)
    return f"https://{url.hostname}{f':{port}' if is_web_port else ''}{path}"


def _diff(path: str, change: Change) -> str:
    before, after = (_lines(_text(data)) for data in (change.before, change.after))
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    # str.splitlines knows seven more ends of a line than git does
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _text(data: bytes) -> str:
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if utf16 else "utf-8", "backslashreplace")
