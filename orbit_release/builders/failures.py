"""Why a build or a push failed, and when a push deserves another try."""

from __future__ import annotations

import re
from collections.abc import Callable

from orbit_release.builders.request import Sleep
from orbit_release.errors import AccessError, BuildError
from orbit_release.image import Digest, ImageReference

START_DOCKER = "Start Docker or set DOCKER_HOST; scripts/demo sets up an engine of its own."
_RETRY_SECONDS = (1.0, 2.0, 4.0)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_DENIED = re.compile(r"denied|unauthorized|insufficient_scope|authentication required|no basic auth", re.IGNORECASE)
_READ_ONLY = re.compile(r"HTTP 405|405 Method|\bunsupported$|operation is unsupported", re.IGNORECASE)
_FLAKY = re.compile(
    r"unknown blob|blob unknown|blob upload|\b(?:403|408|429|5\d\d)\b|too many requests|time(?:d )?out"
    r"|deadline exceeded|\bEOF\b|connection (?:refused|reset|aborted)|broken (?:pipe|:)|incompleteread|no such host",
    re.IGNORECASE,
)


class EngineError(Exception):
    """An engine's or a registry's own words on why a build or a push failed."""


def plain(text: str) -> str:
    """Strip terminal sequences, control and invisible characters from one line of foreign text."""
    return "".join(c for c in _ESCAPES.sub("", text) if c.isprintable() or c == "\t").rstrip()


def build_error(words: str) -> BuildError:
    return BuildError(words, "The lines above it in the build's output say more.")


def machine_error(error: Exception) -> BuildError:
    """Say that a file or a program of this machine made the build fail."""
    reason = plain(str(error))
    return BuildError(f"the build failed on this machine: {reason}", "Can that file be used? Is the disk full?")


def interruption() -> BuildError:
    return BuildError("the build was interrupted", "Run the command again: finished images are not built twice.")


def push_with_retries(image: ImageReference, push: Callable[[], Digest], sleep: Sleep) -> Digest:
    """Push, and again after an EngineError where that can help; a registry that denies twice means it."""
    denied = 0
    for seconds in (*_RETRY_SECONDS, 0):
        try:
            return push()
        except EngineError as error:
            words = str(error)
        message = f"{image} was not pushed: {words}"
        denied += bool(_DENIED.search(words))
        if denied > 1:
            raise AccessError(message, f"docker login {image.repository.host}".rstrip())
        if _READ_ONLY.search(words):
            raise AccessError(message, "The registry is read-only: a mirror, or under maintenance? Ask its operator.")
        if not seconds or not (_FLAKY.search(words) or _DENIED.search(words)):
            break
        sleep(seconds)
    raise BuildError(message, "Does the registry answer, and does it accept pushes?")
