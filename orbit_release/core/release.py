"""A release: the edits of the manifests, and the commit that tells of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orbit_release.core.image import Repository
from orbit_release.core.manifest import Edit, NewImage, rewrite

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
    """What a release changes: the references, and the manifests by path."""

    edits: tuple[Edit, ...]
    changes: Mapping[str, Change]
    warnings: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, bytes]:
        """The new bytes of each changed manifest."""
        return {path: change.after for path, change in self.changes.items()}

    def diff(self) -> str:
        """Return a unified diff of the manifests, for people to read."""
        return "".join(_diff(path, change) for path, change in self.changes.items())


def plan_release(manifests: Iterable[tuple[str, bytes]], images: Sequence[NewImage]) -> Release:
    """Set the images in the manifests; InvalidError, and nothing is changed, if one cannot be edited safely."""
    edits: list[Edit] = []
    changes: dict[str, Change] = {}
    warnings: list[str] = []
    for path, data in manifests:
        found = rewrite(data, path, images)
        warnings += found.warnings
        if found.edits:
            edits += found.edits
            changes[path] = Change(data, found.data)
    return Release(tuple(edits), changes, tuple(warnings))


@dataclass(frozen=True, slots=True)
class Step:
    """One service's way from one reference to the next; the commits are None where they are not known."""

    service: str
    before: str
    after: str
    base: str | None = None
    head: str | None = None
    commits: int | None = None
    image: str = ""

    @property
    def distance(self) -> str:
        """How many commits lie between, as text; "" where that is not known."""
        return f"{self.commits} commit{'s' if self.commits > 1 else ''}" if self.commits else ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a release says of itself: its steps, the monorepo's web address (or ""), and a subject of one's own."""

    steps: tuple[Step, ...]
    source: str = ""
    subject: str = ""

    @property
    def title(self) -> str:
        """One line: the services, and their tag if it is one."""
        tags = {step.after for step in self.steps}
        what = self.steps[0].service if len(self.steps) == 1 else f"{len(self.steps)} services"
        return self.subject or (f"release: {what} {tags.pop()}" if len(tags) == 1 else f"release: {what}")

    def message(self) -> str:
        """Return the message of the release commit: a title, a line for each service, and trailers for machines."""
        lines = "\n".join(f"{step.service}: {step.before} -> {step.after}{self._about(step)}" for step in self.steps)
        trailers = "\n".join(f"Orbit-Release: {step.service} {step.after}" for step in self.steps)
        return f"{self.title}\n\n{lines}\n\n{trailers}\n"

    def compare_link(self, step: Step) -> str:
        """Return the address that shows a step's commits, or ""."""
        return f"{self.source}/compare/{step.base}...{step.head}" if self.source and step.commits else ""

    def _about(self, step: Step) -> str:
        about = ", ".join(filter(None, (step.distance, self.compare_link(step))))
        return f" ({about})" if about else ""


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
