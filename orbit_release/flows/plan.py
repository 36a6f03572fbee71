"""plan: which service needs what, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from orbit_release.errors import ConflictError, NotFoundError, UnavailableError
from orbit_release.flows.source import Source, commit_of
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.graph import ChangedFile, History
from orbit_release.image import LATEST
from orbit_release.planning.actions import (
    Action,
    Deployment,
    Plan,
    ServicePlan,
    absent,
    aim,
    assess,
    clashing,
    describe,
    held,
    is_forward,
    most_urgent,
    with_image,
)
from orbit_release.service import BuildSettings, Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry, RemoteImage

S = TypeVar("S")
T = TypeVar("T")

_QUESTIONS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Head:
    """The commit to plan for, and which of the services exist there."""

    commit: str
    present: tuple[Service, ...]
    absent: tuple[ServicePlan, ...]
    own_ignore_files: frozenset[str]

    def inputs(self, service: Service, files: Iterable[ChangedFile]) -> tuple[ChangedFile, ...]:
        own = service.name in self.own_ignore_files
        return tuple(file for file in files if service.is_input(file.path, own_ignore_file=own))


def plan(
    source: Source,
    services: Sequence[Service],
    *,
    head: str,
    base: str | None = None,
    registry: Registry | None = None,
    tip: Tip | None = None,
    force: bool = False,
    latest: bool = False,
) -> Plan:
    """Decide what each service needs at `head`.

    Without a base, against what the release branch's manifests deploy; with one, against that commit, as path
    filters do. A registry is asked for the images that would be built, and for commits that git does not know.
    `tip` is where the release branch stands; without it, where it stood when it was last fetched. `force` builds
    again what is there already; `latest` asks the registry whether a build may move that tag.
    """
    if head == "HEAD" and source.git.commit(head) is None:
        return Plan(None, tuple(absent(service, "yet: there is no commit") for service in services))
    commit = _commit(source.git, head)
    state = _look(source, commit, services)
    if base is not None:
        found = _compare(source, state, base, registry)
    else:
        found = _against_deployed(source, state, registry, tip)
    found = _force(source, state, found, registry) if force else found
    return _ordered(_aim_latest(source, found, registry, tip) if latest and registry else found, services)


def plan_unheld(source: Source, services: Sequence[Service], tip: Tip) -> Plan:
    """Decide what each service would need at the release branch's tip if none of them were held."""
    state = _look(source, tip.commit, services)
    return _ordered(_against_deployed(source, state, None, tip, holds=False), services)


def targets(source: Source, head: str, services: Sequence[Service]) -> dict[str, str]:
    """Return, by service, the newest first-parent commit up to head that changed its inputs; not for absent ones."""
    source.git.deepen()
    found = _look(source, _commit(source.git, head), services)
    return _targets(source, found, found.present)


def _ordered(plan: Plan, services: Sequence[Service]) -> Plan:
    names = [service.name for service in services]
    return replace(plan, services=tuple(sorted(plan.services, key=lambda one: names.index(one.service.name))))


def _commit(git: Clone, revision: str) -> str:
    commit = git.fetch_commit(revision)
    if commit is None:
        hint = "name a branch, a tag or a commit of this clone, or fetch it first."
        raise NotFoundError(f"{revision} names no commit, or several", hint)
    return commit


def _look(source: Source, head: str, services: Iterable[Service]) -> _Head:
    git = source.git
    present = [service for service in services if git.has_file(head, service.settings.dockerfile)]
    missing = [service for service in services if service not in present]
    own = (service.name for service in present if git.has_file(head, service.settings.own_ignore_file))
    return _Head(head, tuple(present), tuple(absent(service, f"at {head[:7]}") for service in missing), frozenset(own))


def _compare(source: Source, head: _Head, base: str, registry: Registry | None) -> Plan:
    git = source.git
    start = _base(git, base)
    with git.first_parents(head.commit) as commits:  # git reads the history while we compare the trees
        plans = _compare_trees(source, head, start, base)
        stale = [one.service for one in plans if one.action is Action.BUILD]
        targets = _walk(source, head, stale, commits)
    if len(targets) < len(stale):
        git.deepen()
        targets = _targets(source, head, stale)
    plans = [_with_target(source, one, targets) for one in plans]
    return Plan(head.commit, (*_ask(registry, plans), *head.absent), start or "the empty tree")


def _with_target(source: Source, plan: ServicePlan, targets: Mapping[str, str]) -> ServicePlan:
    target = targets.get(plan.service.name)
    return replace(plan, target=target, service=source.service_at(plan.service, target)) if target else plan


def _compare_trees(source: Source, head: _Head, start: str | None, base: str) -> list[ServicePlan]:
    files = source.git.changes([start], head.commit)[start]
    old, new = source.settings(start), source.settings(head.commit)
    plans = []
    for service in head.present:
        inputs = head.inputs(service, files)
        if inputs or _settings_differ(old, new, service):
            plans.append(ServicePlan(service, Action.BUILD, describe(inputs, f"since {base}"), files=inputs))
        else:
            plans.append(ServicePlan(service, Action.CURRENT, f"no input changed since {base}"))
    return plans


def _base(git: Clone, base: str) -> str | None:
    if base and not base.strip("0"):  # the state before a branch existed, in GitHub's push event
        return None
    commit = git.fetch_commit(base)
    if commit is None:
        hint = "it may have been force-pushed away: the default, --base deployed, needs no event and loses nothing."
        raise NotFoundError(f"base {base} names no commit, or several", hint)
    return commit


def _against_deployed(
    source: Source, head: _Head, registry: Registry | None, tip: Tip | None, *, holds: bool = True
) -> Plan:
    git = source.git
    if not head.present:
        return Plan(head.commit, head.absent)
    git.deepen()
    tip = tip or git.tip(source.config.branch, fetch=False)
    deployments = _deployments(source, tip, head.present, registry, holds=holds)
    plans = _assess(source, head, deployments)
    targets = _targets(source, head, list({one.service.name: one.service for one in plans if _is_stale(one)}.values()))
    aimed = [one for one in plans if one.service.name in targets]
    running = [one.deployed.commit for one in aimed if one.deployed and one.deployed.commit]
    history = git.history([tip.commit, head.commit, *targets.values(), *running])
    if not history.is_ancestor(head.commit, tip.commit) and not history.is_ancestor(tip.commit, head.commit):
        return _superseded(head, plans, tip)
    plans = [_aim(source, one, targets, history) for one in plans]
    plans = _hold_moved_back(source, tip, plans, registry) if holds else plans
    return Plan(head.commit, (*_one_per_service(_ask(registry, plans)), *head.absent))


def _is_stale(plan: ServicePlan) -> bool:
    return plan.action is Action.BUILD


def _aim(source: Source, plan: ServicePlan, targets: Mapping[str, str], history: History) -> ServicePlan:
    target = targets.get(plan.service.name)
    if target is None or plan.action is Action.HELD:
        return plan
    return aim(replace(plan, service=source.service_at(plan.service, target)), target, history)


def _hold_moved_back(
    source: Source, tip: Tip, plans: list[ServicePlan], registry: Registry | None
) -> list[ServicePlan]:
    """Leave alone what somebody moved back; only what would move forward needs the manifests' log for that."""
    stale = {one.service.name: one.service for one in plans if _is_stale(one) and one.deployed}
    if not stale:
        return plans
    from orbit_release.flows.history import moved_back  # noqa: PLC0415

    back = moved_back(source, tip, list(stale.values()), registry)
    return [held(one, str(back[one.service.name])) if one.service.name in back else one for one in plans]


def _superseded(head: _Head, plans: Iterable[ServicePlan], tip: Tip) -> Plan:
    reason = f"{head.commit[:7]} is not on {tip.branch}: rewritten, not merged, or to be rebased"
    current = [replace(one, action=Action.CURRENT, reason=reason, files=()) for one in plans]
    return Plan(head.commit, (*_one_per_service(current), *head.absent), superseded=True)


def _deployments(
    source: Source, tip: Tip, services: Iterable[Service], registry: Registry | None, *, holds: bool
) -> list[tuple[Service, Deployment | None]]:
    found = source.deployed(tip)
    pairs: list[tuple[Service, Deployment | None]] = []
    for service in services:
        images = {(image.reference, image.hold): image for image in found[service.repository]}
        for image in images.values():
            commit = commit_of(source.git, image.reference, registry)
            pairs.append((service, Deployment(image.reference, image.hold if holds else None, commit)))
        if not images:
            pairs.append((service, None))
    return pairs


def _assess(source: Source, head: _Head, deployments: Iterable[tuple[Service, Deployment | None]]) -> list[ServicePlan]:
    pairs = list(deployments)
    commits = {one.commit for _, one in pairs if one and one.commit}
    changes = source.git.changes(commits, head.commit)
    new = source.settings(head.commit)
    plans = []
    for service, deployed in pairs:
        commit = deployed.commit if deployed else None
        inputs = head.inputs(service, changes[commit]) if commit else ()
        differ = commit is not None and _settings_differ(source.settings(commit), new, service)
        plans.append(assess(service, deployed, inputs, settings_changed=differ))
    return plans


def _settings_differ(
    old: Mapping[str, BuildSettings] | None, new: Mapping[str, BuildSettings] | None, service: Service
) -> bool:
    return old is not None and new is not None and old.get(service.name) != new.get(service.name)


def _targets(source: Source, head: _Head, services: Sequence[Service]) -> dict[str, str]:
    if not services:
        return {}
    with source.git.first_parents(head.commit) as commits:
        found = _walk(source, head, services, commits)
    if missing := [service.name for service in services if service.name not in found]:
        message = f"no commit up to {head.commit[:7]} changed the inputs of {', '.join(missing)}"
        raise UnavailableError(message, "see what `git fsck` says of this clone.")
    return found


def _walk(
    source: Source,
    head: _Head,
    services: Iterable[Service],
    commits: Iterable[tuple[str, tuple[ChangedFile, ...]]],
) -> dict[str, str]:
    left = {service.name: service for service in services}
    targets: dict[str, str] = {}
    settings, since = source.settings(head.commit) if left else None, head.commit
    for commit, files in commits if left else ():
        old = None
        if any(file.path == (source.config_path or "").encode() for file in files):
            since = commit if source.settings(commit) else since  # an invalid version in between says nothing
            old = source.settings(f"{commit}^")
        for name, service in tuple(left.items()):
            differ = _settings_differ(old, settings, service)
            if differ or head.inputs(service, files):
                targets[name] = since if differ else commit
                del left[name]
        if not left:
            break
    return targets


def _ask(registry: Registry | None, plans: Iterable[ServicePlan]) -> list[ServicePlan]:
    if registry is None:
        return list(plans)
    return side_by_side(lambda one: ask(registry, one), plans)


def side_by_side(question: Callable[[S], T], subjects: Iterable[S]) -> list[T]:
    """Ask the same of several subjects at once, and return the answers in order."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (4 ms that only this pays for)

    with ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
        return list(pool.map(question, subjects))


def ask(registry: Registry, plan: ServicePlan) -> ServicePlan:
    """Take into account what the registry has under the target's tag."""
    if plan.action is not Action.BUILD or plan.tag is None:
        return plan
    image = registry.image(plan.service.repository, plan.tag)
    return with_image(_own(plan, image), there=image is not None)


def _own(plan: ServicePlan, image: RemoteImage | None) -> ServicePlan:
    """Leave a service alone if the image under its target's tag is that of another commit."""
    return clashing(plan, image.revision) if image and image.revision not in (None, "", plan.target) else plan


def _force(source: Source, head: _Head, plan: Plan, registry: Registry | None) -> Plan:
    """Build again what is current or built already; what is held, absent or older than what is deployed stays."""
    again = [one for one in plan.services if one.action in (Action.CURRENT, Action.RELEASE) and not one.is_newer]
    if plan.superseded or not again:
        return plan
    source.git.deepen()
    found = _targets(source, head, [one.service for one in again])
    new = {one.service.name: _forced(source, one, found[one.service.name], registry) for one in again}
    return replace(plan, services=tuple(new.get(one.service.name, one) for one in plan.services))


def _forced(source: Source, one: ServicePlan, target: str, registry: Registry | None) -> ServicePlan:
    service = source.service_at(one.service, target)
    build = replace(one, service=service, action=Action.BUILD, reason=f"forced; {one.reason}", target=target)
    return _own(build, registry.image(service.repository, build.tag)) if registry and build.tag else build


def _aim_latest(source: Source, plan: Plan, registry: Registry, tip: Tip | None) -> Plan:
    """Let `latest` stay where a build is older than what it is now: an old run that came late."""
    tip = tip or source.git.tip(source.config.branch, fetch=False)
    building = plan.with_action(Action.BUILD)
    images = side_by_side(lambda one: registry.image(one.service.repository, LATEST), building)
    running = [source.git.fetch_commit(image.revision) if image and image.revision else None for image in images]
    targets = [one.target for one in building if one.target]
    history = source.git.history([tip.commit, *targets, *(commit for commit in running if commit)])
    forward = {
        one.service.name: is_forward(history, running=commit, target=one.target or "", tip=tip.commit)
        for one, commit in zip(building, running, strict=True)
    }
    return replace(plan, services=tuple(replace(o, latest=forward.get(o.service.name, True)) for o in plan.services))


def clash_of(plans: Iterable[ServicePlan]) -> ConflictError | None:
    """Return what to tell about targets whose tag the registry has for another commit; None if there are none."""
    reasons = [one.reason for one in plans if one.clash]
    hint = "nothing is overwritten: delete that image, or push one more commit to the service."
    return ConflictError("\n".join(reasons), hint) if reasons else None


def _one_per_service(plans: Iterable[ServicePlan]) -> list[ServicePlan]:
    grouped: dict[str, list[ServicePlan]] = {}
    for one in plans:
        grouped.setdefault(one.service.name, []).append(one)
    return [most_urgent(group) for group in grouped.values()]
