"""build: each service's image from its target commit, pushed as sha-…, then `latest` moved forward."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from orbit_release.builders.request import BuildRequest
from orbit_release.errors import OrbitReleaseError
from orbit_release.flows.plan import may_move, plan, plan_named
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.git.private_index import check_out
from orbit_release.image import LATEST, Digest, ImageReference
from orbit_release.planning.actions import Action, ServicePlan
from orbit_release.planning.matrix import labels
from orbit_release.planning.target_commits import clash_of
from orbit_release.registry.client import Registry
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.builders.choose import Builder

_LAST_LINES = 20
Progress = Callable[[str, str | None], None]  # service, one line of what happens; None: that was all


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """What became of one service's build; `error` is set if it failed, with the last lines of its log."""

    plan: ServicePlan
    status: str  # built, skipped (the registry has it already), failed
    digest: Digest | None = None
    latest: bool = False
    error: OrbitReleaseError | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Building:
    """Where a build takes its sources from and where its images go; without a registry they stay in the engine."""

    source: Source
    head: str
    registry: Registry | None
    address: str
    jobs: int
    force: bool


def build(
    building: Building, services: Sequence[Service], *, named: bool, builder: Callable[[], Builder], progress: Progress
) -> list[BuildOutcome]:
    """Build what the plan asks for at head, or exactly the named services; one failure stops no other build."""
    source, head, registry = building.source, building.head, building.registry
    if named:
        plans = plan_named(source, services, head=head, registry=registry)
    else:
        plans = plan(source, services, head=head, registry=registry).services
    there = [plan for plan in plans if plan.action is Action.RELEASE]
    todo = [plan for plan in plans if plan.is_to_build or (building.force and plan in there)]
    outcomes = [BuildOutcome(plan, "failed", error=clash_of([plan])) for plan in plans if plan.clash]
    outcomes += [BuildOutcome(plan, "skipped") for plan in there if plan not in todo]
    # Asked before anything is built: an answer that fails to come must not cost the outcomes.
    tip = source.git.tip(source.config.branch, fetch=True) if registry and (outcomes or todo) else None
    outcomes += _build_all(building, todo, builder, progress) if todo else ()
    if registry and tip:
        # Also of images that were there before: an interrupted run may have left `latest` behind.
        outcomes = [_move_latest(source, registry, tip, outcome) for outcome in outcomes]
    names = [service.name for service in services]
    return sorted(outcomes, key=lambda outcome: names.index(outcome.plan.service.name))


def _build_all(
    building: Building, plans: Sequence[ServicePlan], builder: Callable[[], Builder], progress: Progress
) -> Iterator[BuildOutcome]:
    with ExitStack() as stack:
        commits = {plan.target or "" for plan in plans}
        trees = {commit: Path(stack.enter_context(TemporaryDirectory(prefix="orbit-release-"))) for commit in commits}
        for commit, folder in trees.items():
            check_out(building.source.git.process, commit, str(folder))
        pool = stack.enter_context(ThreadPoolExecutor(building.jobs))
        engine = builder()
        stack.enter_context(engine)
        futures = [
            pool.submit(_build_one, building, engine, plan, trees[plan.target or ""], progress) for plan in plans
        ]
        yield from (future.result() for future in as_completed(futures))


def _build_one(building: Building, engine: Builder, plan: ServicePlan, tree: Path, progress: Progress) -> BuildOutcome:
    name = plan.service.name
    log: deque[str] = deque(maxlen=_LAST_LINES)

    def tell(line: str) -> None:
        log.append(line)
        progress(name, line)

    try:
        digest = engine.build(_request(building, plan, tree), push=building.registry is not None, progress=tell)
        progress(name, f"{'pushed' if digest else 'built'} {plan.image}")
    except OrbitReleaseError as error:
        progress(name, f"failed: {error.message.splitlines()[0]}")
        return BuildOutcome(plan, "failed", error=error, log=tuple(log))
    finally:
        progress(name, None)
    return BuildOutcome(plan, "built", digest)


def _request(building: Building, plan: ServicePlan, tree: Path) -> BuildRequest:
    settings, repository = plan.service.settings, plan.service.repository
    tags = (plan.tag,) if building.registry else (plan.tag, LATEST)
    return BuildRequest(
        tree=tree,
        context=settings.context,
        dockerfile=settings.dockerfile,
        tags=tuple(ImageReference(repository, tag) for tag in tags),
        platforms=settings.platforms,
        build_args=dict(settings.build_args),
        labels=labels(plan, building.address),
    )


def _move_latest(source: Source, registry: Registry, tip: Tip, outcome: BuildOutcome) -> BuildOutcome:
    """Point `latest` at an image that is on the release branch and newer than what `latest` is now."""
    plan, repository = outcome.plan, outcome.plan.service.repository
    if outcome.error or not (plan.tag and plan.target):
        return outcome
    try:
        digest = outcome.digest or registry.require(repository, plan.tag)
        now = registry.image(repository, LATEST)
        [forward] = may_move(source, tip, [now], [plan.target])
        if forward and (now is None or now.digest != digest):
            registry.copy_tag(repository, digest, LATEST)
    except OrbitReleaseError as error:
        return replace(outcome, status="failed", error=error)
    return replace(outcome, digest=digest, latest=forward)
