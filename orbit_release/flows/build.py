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
from orbit_release.errors import NotFoundError, OrbitReleaseError
from orbit_release.flows.plan import ask, clash_of, plan, targets
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.git.worktree import check_out
from orbit_release.image import LATEST, Digest, ImageReference
from orbit_release.planning.actions import Action, Deployment, ServicePlan, is_forward
from orbit_release.planning.matrix import labels
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.builders.choose import Builder
    from orbit_release.registry.client import Registry

_LAST_LINES = 20
Progress = Callable[[str, str | None], None]  # service, one line of what happens; None: that was all


@dataclass(frozen=True, slots=True)
class Result:
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
    registry: Registry | None
    address: str
    jobs: int
    force: bool


def build(
    building: Building,
    services: Sequence[Service],
    *,
    named: bool,
    head: str,
    builder: Callable[[], Builder],
    progress: Progress,
) -> list[Result]:
    """Build what the plan asks for at head, or exactly the named services; one failure stops no other build."""
    wanted = _named(building, services, head) if named else _planned(building, services, head)
    # Asked before anything is built: an answer that fails to come must not cost the results.
    tip = _fresh_tip(building) if building.registry and wanted else None
    skipped = [Result(one, "skipped") for one in wanted if one.action is Action.RELEASE and not building.force]
    todo = [one for one in wanted if one.action is Action.BUILD or (one.action is Action.RELEASE and building.force)]
    refused = [Result(one, "failed", error=clash_of([one])) for one in wanted if one.clash]
    results = [*refused, *skipped, *(_run(building, todo, builder, progress) if todo else ())]
    if building.registry and tip:
        results = _move_latest(building, building.registry, tip, results)
    names = [service.name for service in services]
    return sorted(results, key=lambda result: names.index(result.plan.service.name))


def _planned(building: Building, services: Sequence[Service], head: str) -> list[ServicePlan]:
    found = plan(building.source, services, head=head, registry=building.registry)
    # `release` images exist: looking at them again moves a `latest` that an interrupted run left behind.
    return [one for one in found.services if one.target or one.clash]


def _named(building: Building, services: Sequence[Service], head: str) -> list[ServicePlan]:
    found = targets(building.source, head, services)
    for service in services:
        if service.name not in found:
            hint = f"plan {service.name} says what is missing."
            raise NotFoundError(f"{service.name} has no {service.settings.dockerfile} at {head}", hint)
    plans = [_named_plan(building.source, service, found[service.name]) for service in services]
    return [ask(building.registry, one) for one in plans] if building.registry else plans


def _named_plan(source: Source, service: Service, target: str) -> ServicePlan:
    deployed = Deployment(ImageReference(service.repository))  # whatever it is, the person wants this image
    return ServicePlan(source.service_at(service, target), Action.BUILD, "named", deployed, target=target)


def _fresh_tip(building: Building) -> Tip:
    git = building.source.git
    git.deepen()
    return git.tip(building.source.config.branch, fetch=True)


def _run(
    building: Building, todo: Sequence[ServicePlan], builder: Callable[[], Builder], progress: Progress
) -> Iterator[Result]:
    with ExitStack() as stack:
        commits = {one.target for one in todo if one.target}
        trees = {commit: _tree(building.source, commit, stack) for commit in commits}
        pool = stack.enter_context(ThreadPoolExecutor(building.jobs))
        engine = builder()
        stack.enter_context(engine)
        futures = [pool.submit(_one, building, engine, one, trees[one.target or ""], progress) for one in todo]
        yield from (future.result() for future in as_completed(futures))


def _tree(source: Source, commit: str, stack: ExitStack) -> Path:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="orbit-release-")))
    check_out(source.git, commit, folder)
    return folder


def _one(building: Building, engine: Builder, one: ServicePlan, tree: Path, progress: Progress) -> Result:
    log: deque[str] = deque(maxlen=_LAST_LINES)

    def told(line: str) -> None:
        log.append(line)
        progress(one.service.name, line)

    try:
        digest = engine.build(_request(building, one, tree), push=building.registry is not None, progress=told)
        progress(one.service.name, f"{'pushed' if digest else 'built'} {one.image}")
    except OrbitReleaseError as error:
        progress(one.service.name, f"failed: {error.message.splitlines()[0]}")
        return Result(one, "failed", error=error, log=tuple(log))
    finally:
        progress(one.service.name, None)
    return Result(one, "built", digest)


def _request(building: Building, one: ServicePlan, tree: Path) -> BuildRequest:
    settings, repository = one.service.settings, one.service.repository
    tags = (one.tag,) if building.registry else (one.tag, LATEST)
    return BuildRequest(
        tree=tree,
        context=settings.context,
        dockerfile=settings.dockerfile,
        tags=tuple(ImageReference(repository, tag) for tag in tags),
        platforms=settings.platforms,
        build_args=dict(settings.build_args),
        labels=labels(one, building.address),
    )


def _move_latest(building: Building, registry: Registry, tip: Tip, results: Sequence[Result]) -> list[Result]:
    """Point `latest` at each image that is on the release branch and newer than what `latest` is now."""
    return [result if result.error else _moved(building.source, registry, tip, result) for result in results]


def _moved(source: Source, registry: Registry, tip: Tip, result: Result) -> Result:
    one = result.plan
    assert one.tag  # noqa: S101  (whatever was built has a target)
    try:
        digest = result.digest or registry.require(one.service.repository, one.tag)
        latest = _point_latest(source, registry, tip, one, digest)
    except OrbitReleaseError as error:
        return replace(result, status="failed", error=error)
    return replace(result, digest=digest, latest=latest)


def _point_latest(source: Source, registry: Registry, tip: Tip, one: ServicePlan, digest: Digest) -> bool:
    now = registry.image(one.service.repository, LATEST)
    target = one.target or ""
    running = source.git.fetch_commit(now.revision) if now and now.revision else None
    history = source.git.history([tip.commit, target, *([running] if running else [])])
    forward = is_forward(history, running=running, target=target, tip=tip.commit)
    if forward and (now is None or now.digest != digest):
        registry.copy_tag(one.service.repository, digest, LATEST)
    return forward
