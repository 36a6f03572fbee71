"""What the cluster runs of a service, and how that differs from what is deployed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orbit_release.argocd.observation import WELL, Observation, Resource
from orbit_release.image import ImageReference, Repository, not_among

# From good to bad, as Argo CD finds the worst: https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
_HEALTHS = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
_SYNCS = ("Synced", "OutOfSync", "Unknown")


@dataclass(frozen=True, slots=True)
class LiveService:
    """What Argo CD tells of a service; "" where it does not.

    `images` are the references that pods run; `missing` those that should run and do not, `other` those that run
    although no manifest names them. `sync`, `health` and `message` are those of the worst of its workloads, and the
    application's own where no workload of it is known.
    """

    images: tuple[ImageReference, ...]
    missing: tuple[ImageReference, ...]
    other: tuple[ImageReference, ...]
    sync: str
    health: str
    message: str

    @property
    def is_well(self) -> bool:
        """Whether it runs what is deployed, and is not known to be ill."""
        return not self.missing and self.sync == "Synced" and self.health in ("", *WELL)


def live_service(
    repository: Repository,
    deployed: Collection[ImageReference],
    wanted: Collection[ImageReference],
    resources: Sequence[Resource],
    observation: Observation,
) -> LiveService:
    """Tell what runs of a service: of its `deployed` references the `wanted` ones must run all the time.

    `resources` are its workloads as the observation has them.
    """
    images = sorted((image for image in observation.images if image.repository == repository), key=str)
    own = Resource("", "", health=observation.health, message=observation.health_message, sync=observation.sync)
    sync = max(resources, key=lambda resource: _rank(resource.sync, _SYNCS), default=own).sync
    worst = max(resources, key=lambda resource: _rank(resource.health, _HEALTHS), default=own)
    missing, other = not_among(wanted, images), not_among(images, deployed)
    return LiveService(tuple(images), tuple(missing), tuple(other), sync, worst.health, worst.message)


def _rank(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else -1
