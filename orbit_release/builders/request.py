"""What a build is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orbit_release.errors import InvalidError
from orbit_release.image import ImageReference

Progress = Callable[[str], None]  # one plain line at a time
Sleep = Callable[[float], None]  # seconds


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
