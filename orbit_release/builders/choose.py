"""Choose what builds the images."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orbit_release.builders import buildx
from orbit_release.errors import UsageError

if TYPE_CHECKING:
    from orbit_release.builders.engine import SdkBuilder

    Builder = SdkBuilder | buildx.BuildxBuilder


def _pause(seconds: float) -> None:
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret


def answering_builder(environ: Mapping[str, str], seconds: int) -> str:
    """Say what would build, after it has answered; UnavailableError if nothing does. Nothing is started."""
    if buildx.is_installed(environ):
        return buildx.chosen_builder(environ, seconds)
    from orbit_release.builders.engine import answering_engine  # noqa: PLC0415

    return answering_engine(environ, seconds)


def choose_builder(builder: str | None, *, environ: Mapping[str, str], github_token: str | None = None) -> Builder:
    """Return `docker buildx` where it is installed, else the engine's own builder; enter it to connect.

    `builder` is a name of `docker buildx ls` or tcp://HOST:PORT.
    """
    environ = dict(environ)
    if buildx.is_installed(environ):
        return buildx.BuildxBuilder(builder, environ, sleep=_pause)
    if builder is not None:
        hint = "Install it (https://docs.docker.com/go/buildx/), or leave --builder out."
        raise UsageError("--builder needs docker buildx, which is not installed", hint)
    # The SDK takes a fifth of a second to import.
    from orbit_release.builders.engine import SdkBuilder, connect  # noqa: PLC0415

    return SdkBuilder(lambda: connect(environ), github_token=github_token, sleep=_pause)
