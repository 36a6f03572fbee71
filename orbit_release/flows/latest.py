"""`latest` only ever moves forward, along the release branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.planning.actions import is_forward

if TYPE_CHECKING:
    from orbit_release.registry.client import RemoteImage


def may_move(source: Source, tip: Tip, moves: Sequence[tuple[RemoteImage | None, str]]) -> list[bool]:
    """Tell for each image that is `latest` now, and the commit of the one to be it, whether it may move there."""
    git = source.git
    running = [git.fetch_commit(image.revision) if image and image.revision else None for image, _ in moves]
    targets = [target for _, target in moves]
    history = git.history([tip.commit, *targets, *filter(None, running)])
    return [
        is_forward(history, running=commit, target=target, tip=tip.commit)
        for commit, target in zip(running, targets, strict=True)
    ]
