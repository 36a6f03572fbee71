"""status: how each service stands, as far as the systems that know can be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from orbit_release.argocd.live_service import LiveService, live_service
from orbit_release.argocd.observation import Observation, owners_of
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.awaited import DeployedImages
from orbit_release.flows.history import history
from orbit_release.flows.plan import plan, plan_unheld
from orbit_release.flows.side_by_side import side_by_side
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone, Tip
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.planning.actions import Action, ServicePlan
from orbit_release.releases.timeline import Stretch
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.github.pull_request import PullRequest
    from orbit_release.registry.client import Registry

T = TypeVar("T")


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
    deployed: Stretch | None = None
    target: Tag | None = None
    behind: int | None = None
    hold: str | None = None
    digest: Digest | None = None
    missing: bool = False
    pull_request: str = ""
    live: LiveService | None = None

    @property
    def is_behind(self) -> bool:
        """Whether a release is due, or the deployed image is gone."""
        return self.missing or bool(self.behind) or self.target is not None


@dataclass(frozen=True, slots=True)
class Statuses:
    """How the services stand, what was deployed before, and what could not be asked, each with the reason.

    `application` is Argo CD's as a whole; None if it was not asked.
    """

    services: tuple[Status, ...]
    histories: Mapping[str, Sequence[Stretch]]
    unasked: tuple[str, ...]
    application: Observation | None = None


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
    plans = plan(source, services, head=tip.commit, tip=tip).services
    histories, reasons = history(source, services, tip), dict.fromkeys(unasked)
    statuses = _statuses(source, tip, plans, histories)
    if registry:
        statuses = side_by_side(lambda status: _with_image(registry, status, reasons), statuses)
    if pull_requests:
        urls = _answer("open pull requests", lambda: _proposals(source, tip, pull_requests()), reasons) or {}
        statuses = [replace(status, pull_request=urls.get(status.service.repository, "")) for status in statuses]
    seen = _answer("Argo CD", application, reasons) if application else None
    if seen:
        statuses = _with_live(source, tip, statuses, seen)
    return Statuses(tuple(statuses), histories, tuple(reasons), seen)


def _statuses(
    source: Source, tip: Tip, plans: Sequence[ServicePlan], histories: Mapping[str, Sequence[Stretch]]
) -> list[Status]:
    held = [service_plan.service for service_plan in plans if service_plan.action is Action.HELD]
    unheld = plan_unheld(source, held, tip).services if held else ()
    due = {service_plan.service.name: service_plan for service_plan in (*plans, *unheld)}
    return [
        _status(source.git, service_plan, due[service_plan.service.name], histories[service_plan.service.name])
        for service_plan in plans
    ]


def _status(git: Clone, plan: ServicePlan, due: ServicePlan, stretches: Sequence[Stretch]) -> Status:
    last = stretches[-1] if stretches and stretches[-1].until is None else None
    hold = plan.reason.removeprefix("held: ") if plan.action is Action.HELD else None
    running = due.deployed.commit if due.deployed else None
    behind = git.count(running, due.target) if running and due.target else None if due.target else 0
    return Status(plan.service, plan.action, plan.reason, last, due.tag, behind, hold)


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
    try:
        image = registry.image(reference.repository, name)
    except OrbitReleaseError as error:
        unasked[f"{reference.repository.host or 'the registry'}: {error.message}"] = None
        return status
    return replace(status, digest=image.digest if image else None, missing=image is None)


def _proposals(source: Source, tip: Tip, pull_requests: Iterable[PullRequest]) -> dict[Repository, str]:
    """Return the address of the pull request that would change the image of a repository."""
    return {repository: pull.url for pull in pull_requests for repository in _proposed(source, tip, pull.head)}


def _proposed(source: Source, tip: Tip, head: str) -> set[Repository]:
    """Return what a pull request's head changes; nothing where the commit cannot be had."""
    commit = source.git.fetch_commit(head)
    base = source.git.merge_base(commit, tip.commit) if commit else None
    if not (commit and base):
        return set()
    before, after = _references(source, base), _references(source, commit)
    return {repository for repository, references in after.items() if references != before[repository]}


def _references(source: Source, commit: str) -> Mapping[Repository, frozenset[ImageReference]]:
    images = source.deployed(Tip("", commit, None))
    return {repository: frozenset(image.reference for image in own) for repository, own in images.items()}


def _with_live(source: Source, tip: Tip, statuses: Sequence[Status], seen: Observation) -> list[Status]:
    images = DeployedImages.read(source, tip)

    def with_live(status: Status) -> Status:
        name, repository = status.service.name, status.service.repository
        own = [resource for resource in seen.resources if name in owners_of(resource, images.owners)]
        return replace(status, live=live_service(repository, images.references[name], images.running[name], own, seen))

    return [with_live(status) for status in statuses]
