"""How a service stands: what is deployed, how far behind it is, and what keeps it there."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_release.core.history import Deployed
from orbit_release.core.image import Digest, Tag
from orbit_release.core.live import Live
from orbit_release.core.plan import Action
from orbit_release.core.service import Service


@dataclass(frozen=True, slots=True)
class Status:
    """How one service stands; None and "" where something is not known or there is none.

    `behind` counts the commits between what is deployed and `target`, the tag that the next release would deploy.
    `digest` is what the registry has under the deployed tag; `missing`: it has nothing there. `hold` is the reason
    of a hold. `pull_request` is the address of an open one that would change the service's tag. `live` is what the
    cluster runs of it.
    """

    service: Service
    action: Action
    reason: str
    deployed: Deployed | None = None
    target: Tag | None = None
    behind: int | None = None
    hold: str | None = None
    digest: Digest | None = None
    missing: bool = False
    pull_request: str = ""
    live: Live | None = None

    @property
    def is_behind(self) -> bool:
        """Whether a release is due, or the deployed image is gone."""
        return self.missing or bool(self.behind) or self.target is not None
