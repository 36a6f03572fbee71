"""status: how each service stands, as far as the systems that know can be reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orbit_release.argocd.live_service import Live, live
from orbit_release.argocd.observation import Observation, Seen, owners_of
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.history import history
from orbit_release.flows.plan import plan, plan_unheld
from orbit_release.flows.side_by_side import side_by_side
from orbit_release.flows.source import Source
from orbit_release.flows.wanted import read_state
from orbit_release.git.clone import Clone, Tip
from orbit_release.image import Digest, ImageReference, Repository, Tag
from orbit_release.planning.actions import Action, ServicePlan
from orbit_release.releases.timeline import Deployed
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.github.client import PullRequest
    from orbit_release.registry.client import Registry


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


@dataclass(frozen=True, slots=True)
class Statuses:
    """How the services stand, what was deployed before, and what could not be asked, each with the reason.

    `application` is Argo CD's as a whole; None if it was not asked.
    """

    services: tuple[Status, ...]
    histories: Mapping[str, Sequence[Deployed]]
    unasked: tuple[str, ...]
    application: Seen | None = None


def status(
    source: Source,
    services: Sequence[Service],
    tip: Tip,
    *,
    registry: Registry | None,
    pull_requests: Callable[[], Sequence[PullRequest]] | None,
    application: Callable[[], Seen] | None = None,
    unasked: Sequence[str] = (),
) -> Statuses:
    """Tell how services stand at the tip of the release branch; without a registry, GitHub or Argo CD, what git knows.

    `unasked` tells why one of them is not there.
    """
    plans = plan(source, services, head=tip.commit, tip=tip).services
    held = [one.service for one in plans if one.action is Action.HELD]
    due = {one.service.name: one for one in (*plans, *(plan_unheld(source, held, tip).services if held else ()))}
    histories = history(source, services, tip)
    found = [_status(source.git, one, due[one.service.name], histories[one.service.name]) for one in plans]
    reasons = dict.fromkeys(unasked)
    if registry:
        found = side_by_side(lambda one: _with_image(registry, one, reasons), found)
    if pull_requests:
        found = _with_pull_requests(source, tip, found, pull_requests, reasons)
    seen = _seen(application, reasons) if application else None
    if seen:
        found = _with_live(source, tip, found, seen.observation)
    return Statuses(tuple(found), histories, tuple(reasons), seen)


def _status(git: Clone, plan: ServicePlan, due: ServicePlan, stretches: Sequence[Deployed]) -> Status:
    last = stretches[-1] if stretches and stretches[-1].until is None else None
    hold = plan.reason.removeprefix("held: ") if plan.action is Action.HELD else None
    running = due.deployed.commit if due.deployed else None
    behind = git.count(running, due.target) if running and due.target else None if due.target else 0
    return Status(plan.service, plan.action, plan.reason, last, due.tag, behind, hold)


def _with_image(registry: Registry, one: Status, unasked: dict[str, None]) -> Status:
    reference = one.deployed.reference if one.deployed else None
    name = (reference.digest or reference.tag) if reference else None
    if reference is None or name is None:
        return one
    try:
        image = registry.image(reference.repository, name)
    except OrbitReleaseError as error:
        unasked[f"{reference.repository.host or 'the registry'}: {error.message}"] = None
        return one
    return replace(one, digest=image.digest if image else None, missing=image is None)


def _with_pull_requests(
    source: Source,
    tip: Tip,
    found: Sequence[Status],
    pull_requests: Callable[[], Sequence[PullRequest]],
    unasked: dict[str, None],
) -> list[Status]:
    try:
        pulls = {pull.url: _proposed(source, tip, pull.head) for pull in pull_requests()}
    except OrbitReleaseError as error:
        unasked[f"open pull requests: {error.message}"] = None
        return list(found)
    urls = {repository: url for url, repositories in pulls.items() for repository in repositories}
    return [replace(one, pull_request=urls.get(one.service.repository, "")) for one in found]


def _proposed(source: Source, tip: Tip, head: str) -> set[Repository]:
    """Return what a pull request's head changes; nothing where the commit cannot be had."""
    there = source.git.fetch_commit(head)
    base = source.git.merge_base(there, tip.commit) if there else None
    before, after = (_references(source, commit) for commit in (base, there))
    return (
        {repository for repository, references in after.items() if references != before[repository]} if base else set()
    )


def _seen(application: Callable[[], Seen], unasked: dict[str, None]) -> Seen | None:
    try:
        return application()
    except OrbitReleaseError as error:
        unasked[f"Argo CD: {error.message}"] = None
        return None


def _with_live(source: Source, tip: Tip, found: Sequence[Status], seen: Observation) -> list[Status]:
    state = read_state(source, tip)

    def with_live(one: Status) -> Status:
        name, repository = one.service.name, one.service.repository
        resources = [each for each in seen.resources if name in owners_of(each, state.owners)]
        return replace(one, live=live(repository, state.references[name], state.running[name], resources, seen))

    return [with_live(one) for one in found]


def _references(source: Source, commit: str | None) -> Mapping[Repository, frozenset[ImageReference]]:
    found = source.deployed(Tip("", commit, None)) if commit else {}
    return {repository: frozenset(image.reference for image in images) for repository, images in found.items()}
