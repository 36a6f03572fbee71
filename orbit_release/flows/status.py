"""status: how each service stands, as far as the systems that know can be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from orbit_release.argocd.observation import WELL, Observation, Resource, owners_of
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.awaited_release import DeployedImages
from orbit_release.flows.history import history
from orbit_release.flows.own_commits import ways
from orbit_release.flows.plan import plan, plan_unheld
from orbit_release.flows.side_by_side import side_by_side
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import Digest, ImageReference, Repository, Tag, not_among
from orbit_release.planning.actions import Action, ServicePlan
from orbit_release.releases.timeline import Stretch
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.github.pull_request import PullRequest
    from orbit_release.registry.client import Registry

# From good to bad, as Argo CD finds the worst: https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
_HEALTHS = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
_SYNCS = ("Synced", "OutOfSync", "Unknown")

T = TypeVar("T")


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

    @classmethod
    def read(cls, service: Service, deployed: DeployedImages, seen: Observation) -> LiveService:
        images = sorted((image for image in seen.images if image.repository == service.repository), key=str)
        missing = not_among(deployed.running[service.name], images)
        other = not_among(images, deployed.references[service.name])
        own = [resource for resource in seen.resources if service.name in owners_of(resource, deployed.owners)]
        own = own or [Resource("", "", health=seen.health, message=seen.health_message, sync=seen.sync)]
        sync = max((resource.sync for resource in own), key=lambda sync: _rank(sync, _SYNCS))
        worst = max(own, key=lambda resource: _rank(resource.health, _HEALTHS))
        return cls(tuple(images), tuple(missing), tuple(other), sync, worst.health, worst.message)

    @property
    def is_well(self) -> bool:
        """Whether it runs what is deployed, and is not known to be ill."""
        return not self.missing and self.sync == "Synced" and self.health in ("", *WELL)


def _rank(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else -1


@dataclass(frozen=True, slots=True)
class Status:
    """How one service stands; None and "" where something is not known or there is none.

    `behind` counts the service's own commits between what is deployed and `target`, the tag that the next release
    would deploy; it can be 0 where only build settings changed.
    `digest` is what the registry has under the deployed tag; `missing`: it has nothing there. `hold` is the reason
    of a hold. `is_uncertain`: what is deployed cannot be told, `reason` says why. `pull_request` is the address of an
    open one that would change the service's tag. `live` is what the cluster runs of it.
    """

    service: Service
    action: Action
    reason: str
    deployed: Stretch | None = None
    target: Tag | None = None
    behind: int | None = None
    hold: str | None = None
    digest: Digest | None = None
    missing: bool = False
    pull_request: str = ""
    live: LiveService | None = None
    is_uncertain: bool = False

    @property
    def is_behind(self) -> bool:
        """Whether a release is due, the deployed image is gone, or nobody can tell what is deployed."""
        return self.is_uncertain or self.missing or bool(self.behind) or self.target is not None


@dataclass(frozen=True, slots=True)
class Statuses:
    """How the services stand, what was deployed before, and what could not be asked, each with the reason.

    `application` is Argo CD's as a whole; None if it was not asked. `warnings` are what to know of the manifests.
    """

    services: tuple[Status, ...]
    histories: Mapping[str, Sequence[Stretch]]
    unasked: tuple[str, ...]
    application: Observation | None = None
    warnings: tuple[str, ...] = ()


def status(
    source: Source,
    services: Sequence[Service],
    tip: Tip,
    *,
    registry: Registry | None,
    pull_requests: Callable[[], Sequence[PullRequest]] | None,
    application: Callable[[], Observation] | None = None,
    unasked: Sequence[str] = (),
) -> Statuses:
    """Tell how services stand at the tip of the release branch.

    Without a registry, GitHub or Argo CD it is what git knows; `unasked` tells why one of them is not there.
    """
    decided = plan(source, services, head=tip.commit, tip=tip)
    plans = decided.services
    histories, reasons = history(source, services, tip), dict.fromkeys(unasked)
    statuses = _statuses(source, tip, plans, histories)
    if registry:
        statuses = side_by_side(lambda status: _with_image(registry, status, reasons), statuses)
    if pull_requests:
        proposed = _answer("open pull requests", lambda: _proposed(source, tip, pull_requests()), reasons) or {}
        statuses = [replace(status, pull_request=proposed.get(status.service.repository, "")) for status in statuses]
    seen = _answer("Argo CD", application, reasons) if application else None
    if seen:
        deployed = DeployedImages.read(source, tip)
        statuses = [replace(status, live=LiveService.read(status.service, deployed, seen)) for status in statuses]
    return Statuses(tuple(statuses), histories, tuple(reasons), seen, decided.warnings)


def _statuses(
    source: Source, tip: Tip, plans: Sequence[ServicePlan], histories: Mapping[str, Sequence[Stretch]]
) -> list[Status]:
    held = [planned.service for planned in plans if planned.action is Action.HELD]
    unheld = plan_unheld(source, held, tip).services if held else ()
    due = {planned.service.name: planned for planned in (*plans, *unheld)}
    behind = _behind(source, tip, due.values())
    return [
        _status(planned, due[planned.service.name].tag, behind[planned.service.name], histories[planned.service.name])
        for planned in plans
    ]


def _behind(source: Source, tip: Tip, due: Iterable[ServicePlan]) -> dict[str, int | None]:
    """Return, by service, how many commits of its own the target has that what is deployed has not, None: unknown."""
    running = [(planned, planned.deployed.commit if planned.deployed else None) for planned in due]
    ends = {planned.service: (commit, planned.target) for planned, commit in running if commit and planned.target}
    counts: dict[str, int | None] = {planned.service.name: None if planned.target else 0 for planned in due}
    return counts | {name: 0 if way.is_back else len(way.commits) for name, way in ways(source, tip, ends).items()}


def _status(plan: ServicePlan, target: Tag | None, behind: int | None, stretches: Sequence[Stretch]) -> Status:
    last = stretches[-1] if stretches and stretches[-1].until is None else None
    hold = plan.reason.removeprefix("held: ") if plan.action is Action.HELD else None
    return Status(
        plan.service, plan.action, plan.reason, last, target, behind, hold, is_uncertain=plan.fault is not None
    )


def _answer(name: str, question: Callable[[], T], unasked: dict[str, None]) -> T | None:
    """Ask an outside system; where it does not answer, note why."""
    try:
        return question()
    except OrbitReleaseError as error:
        unasked[f"{name}: {error.message}"] = None
        return None


def _with_image(registry: Registry, status: Status, unasked: dict[str, None]) -> Status:
    reference = status.deployed.reference if status.deployed else None
    name = (reference.digest or reference.tag) if reference else None
    if reference is None or name is None:
        return status

    def with_image() -> Status:
        image = registry.image(reference.repository, name)
        return replace(status, digest=image.digest if image else None, missing=image is None)

    return _answer(reference.repository.registry, with_image, unasked) or status


def _proposed(source: Source, tip: Tip, pull_requests: Iterable[PullRequest]) -> dict[Repository, str]:
    """Return the address of the pull request that would change the image of a repository."""
    addresses: dict[Repository, str] = {}
    for pull in pull_requests:
        commit = source.git.fetch_commit(pull.head)
        base = source.git.merge_base(commit, tip.commit) if commit else None
        if commit and base:
            before, after = source.references_at(base), source.references_at(commit)
            addresses |= {name: pull.url for name, references in after.items() if references != before[name]}
    return addresses
