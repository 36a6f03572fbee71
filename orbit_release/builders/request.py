"""What a build is asked for, what its builder says, and when a push deserves another try."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orbit_release.builders.dockerfile import buildkit_needs
from orbit_release.errors import AccessError, BuildError, InvalidError
from orbit_release.image import Digest, ImageReference

Progress = Callable[[str], None]  # one plain line at a time
Sleep = Callable[[float], None]  # seconds

_RETRY_SECONDS = (1.0, 2.0, 4.0)

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_DENIED = re.compile(r"denied|unauthorized|insufficient_scope|authentication required|no basic auth", re.IGNORECASE)
_READ_ONLY = re.compile(r"HTTP 405|405 Method|\bunsupported$|operation is unsupported", re.IGNORECASE)
_FLAKY = re.compile(
    r"unknown blob|blob unknown|blob upload|\b(?:403|408|429|5\d\d)\b|too many requests|time(?:d )?out"
    r"|deadline exceeded|\bEOF\b|connection (?:refused|reset|aborted)|broken (?:pipe|:)|incompleteread|no such host",
    re.IGNORECASE,
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64/v8": "arm64"}


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build: paths are relative to `tree`, the commit's files; only the first tag is ever pushed."""

    tree: Path
    context: str
    dockerfile: str
    tags: tuple[ImageReference, ...]
    platforms: tuple[str, ...]
    build_args: Mapping[str, str]
    labels: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.tags or any(image.tag is None or image.digest for image in self.tags):
            raise InvalidError("an image to build needs a name with a tag and without a digest")


def interrupted() -> BuildError:
    """Return the error of a build that was stopped because its user, or another failure, ended the run."""
    return BuildError("the build was interrupted", "Run the command again: finished images are not built twice.")


def within(tree: Path, path: Path) -> Path:
    """Return the path if it lies in the tree (both resolved): a symbolic link could name any file of the machine."""
    if not path.is_relative_to(tree):
        raise BuildError(f"{path} lies outside the repository", "Put the file itself in place of the symbolic link.")
    return path


class EngineError(Exception):
    """An engine's or a registry's own words on why a build or a push failed."""


def failed(words: str) -> BuildError:
    """Return the error of a build that its builder gave up."""
    return BuildError(words, "The lines above it in the build's output say more.")


def unreadable(error: Exception) -> BuildError:
    """Return the error of a build that a file or a program of this machine made fail."""
    return BuildError(
        f"the build failed on this machine: {plain(str(error))}", "Can that file be used? Is the disk full?"
    )


def pushed(image: ImageReference, push: Callable[[], Digest], sleep: Sleep) -> Digest:
    """Push, and again after an EngineError where that can help; a registry that denies twice means it."""
    denied = 0
    for seconds in (*_RETRY_SECONDS, 0):
        try:
            return push()
        except EngineError as error:
            said = str(error)
        message = f"{image} was not pushed: {said}"
        denied += bool(_DENIED.search(said))
        if denied > 1:
            raise AccessError(message, f"docker login {image.repository.host}".rstrip())
        if _READ_ONLY.search(said):
            raise AccessError(message, "The registry is read-only: a mirror, or under maintenance? Ask its operator.")
        if not seconds or not (_FLAKY.search(said) or _DENIED.search(said)):
            break
        sleep(seconds)
    raise BuildError(message, "Does the registry answer, and does it accept pushes?")


def plain(text: str) -> str:
    """Strip terminal sequences, control and invisible characters from one line of foreign text."""
    return "".join(c for c in _ESCAPES.sub("", text) if c.isprintable() or c == "\t").rstrip()


def told(records: Iterable[Mapping[str, Any]], progress: Progress) -> Iterator[Mapping[str, Any]]:
    """Pass on an engine's words line by line and yield its results; EngineError where it reports one."""
    rest = ""
    for record in records:
        if not record.get("progressDetail"):
            status = f"{record.get('id', '')} {record['status']}".strip() + "\n" if record.get("status") else ""
            *lines, rest = re.split(r"[\r\n]+", rest + record.get("stream", "") + status)
            for line in filter(None, map(plain, lines)):
                progress(line)
        fault = (record.get("errorDetail") or {}).get("message") or record.get("error") or record.get("message")
        if fault:
            progress(plain(rest + fault))
            raise EngineError(plain(fault))
        yield record.get("aux") or {}


def _machine(platform: str) -> tuple[str, str]:
    system, _, architecture = platform.partition("/")
    return system, _ARCHITECTURES.get(architecture, architecture)


def require_no_buildkit(request: BuildRequest, dockerfile: str, engine: str) -> None:
    """Refuse what an engine's own builder (on `os/arch`) would refuse late or get wrong silently."""
    faults = [f"{request.dockerfile}:{need.line}: {need.what}" for need in buildkit_needs(dockerfile)]
    if any(_machine(platform) != _machine(engine) for platform in request.platforms):
        faults.append(f"platforms {', '.join(request.platforms)}: this engine builds {engine}")
    if faults:
        hint = "Install docker buildx, or use --builder tcp://HOST:PORT of a BuildKit server."
        raise BuildError("\n".join(["this build needs BuildKit:", *faults]), hint)
