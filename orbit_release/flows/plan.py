"""plan: which service needs what, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orbit_release.errors import NotFoundError, UnavailableError
from orbit_release.flows.pins import free_pins
from orbit_release.flows.side_by_side import side_by_side
from orbit_release.flows.source import Source
from orbit_release.git.clone import Clone, Tip
from orbit_release.git.graph import History
from orbit_release.image import LATEST, ImageReference
from orbit_release.planning import actions
from orbit_release.planning.actions import Action, Deployment, Plan, ServicePlan
from orbit_release.planning.target_commits import ServicesAtHead, compare, find_targets, settings_differ
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry, RemoteImage


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
        return Plan(None, tuple(actions.absent(service, "yet: there is no commit") for service in services))
    commit = _commit(source.git, head)

    def manifests() -> str:  # those that say what a release may edit
        return commit if base is not None else (tip or source.git.tip(source.config.branch, fetch=False)).commit

    there = _services_at(source, commit, services, manifests)
    if base is not None:
        plan = _compared(source, there, base, registry)
    else:
        plan = _against_deployed(source, there, registry, tip)
    if force:
        plan = _forced(source, there, plan, registry)
    return _with_latest(source, plan, registry, tip) if latest and registry else plan


def plan_unheld(source: Source, services: Sequence[Service], tip: Tip, free: Collection[str] = ()) -> Plan:
    """Decide what each service would need at the release branch's tip if none of them were held.

    A pin holds all the same, but those of the services with the names `free`.
    """
    there = _services_at(source, tip.commit, services, lambda: tip.commit)
    return _against_deployed(source, there, None, tip, holds=False, free=free)


def plan_named(
    source: Source, services: Sequence[Service], *, head: str, registry: Registry | None
) -> Sequence[ServicePlan]:
    """Decide to build services at `head`, whatever is deployed; NotFoundError for one that is absent there."""
    git = source.git
    git.deepen()
    there = _services_at(source, _commit(git, head), services, lambda: git.seen_tip(source.config.branch).commit)
    for service in services:
        if service not in there.present:
            hint = f"plan {service.name} says what is missing."
            raise NotFoundError(f"{service.name} has no {service.settings.dockerfile} at {head}", hint)
    targets = _targets(source, there, services)
    plans = [
        ServicePlan(service, Action.BUILD, "named", Deployment(ImageReference(service.repository)))
        for service in services
    ]
    return _ask_registry(registry, [_with_target(source, plan, targets) for plan in plans])


def _commit(git: Clone, revision: str, hint: str = "", what: str = "") -> str:
    if commit := git.fetch_commit(revision):
        return commit
    hint = hint or "name a branch, a tag or a commit of this clone, or fetch it first."
    raise NotFoundError(f"{what}{revision} names no commit, or several", hint)


def _services_at(
    source: Source, head: str, services: Sequence[Service], manifests: Callable[[], str]
) -> ServicesAtHead:
    """Look which services are there; `manifests` gives the commit whose manifests say what a release may edit."""
    git = source.git
    present = tuple(service for service in services if git.has_file(head, service.settings.dockerfile))
    own = (service.name for service in present if git.has_file(head, service.settings.own_ignore_file))
    return ServicesAtHead(head, tuple(services), present, frozenset(own), source.is_edited(manifests))


def _compared(source: Source, head: ServicesAtHead, base: str, registry: Registry | None) -> Plan:
    git = source.git
    hint = "it may have been force-pushed away: the default, --base deployed, needs no event and loses nothing."
    # Zeros are the state before a branch existed, in GitHub's push event.
    start = _commit(git, base, hint, "base ") if base.strip("0") or not base else None
    with git.first_parents(head.commit) as commits:  # git reads the history while we compare the trees
        files = git.changes([start], head.commit)[start]
        plans = compare(head, files, source.settings(start), source.settings(head.commit), base)
        stale = [plan.service for plan in plans if plan.action is Action.BUILD]
        targets = find_targets(head, stale, commits, source.settings, source.config_path)
    if len(targets) < len(stale):
        git.deepen()
        targets = _targets(source, head, stale)
    plans = [_with_target(source, plan, targets) for plan in plans]
    return head.plan(_ask_registry(registry, plans), start or "the empty tree")


def _with_target(source: Source, plan: ServicePlan, targets: Mapping[str, str]) -> ServicePlan:
    target = targets.get(plan.service.name)
    if target is None:
        return plan
    service = source.service_at(plan.service, target)
    return replace(plan, target=target, service=service, scheme=source.config.tag_scheme)


def _against_deployed(
    source: Source,
    head: ServicesAtHead,
    registry: Registry | None,
    tip: Tip | None,
    *,
    holds: bool = True,
    free: Collection[str] = (),
) -> Plan:
    git = source.git
    if not head.present:
        return head.plan(())
    git.deepen()
    tip = tip or git.tip(source.config.branch, fetch=False)
    plans = _assessed(source, head, tip, registry, holds=holds, free=free)
    targets = _targets(source, head, _stale(plans))
    running = [plan.deployed.commit for plan in plans if plan.service.name in targets and plan.deployed]
    history = git.history([tip.commit, head.commit, *targets.values(), *filter(None, running)])
    if not history.is_ancestor(head.commit, tip.commit) and not history.is_ancestor(tip.commit, head.commit):
        reason = f"{head.commit[:7]} is not on {tip.branch}: rewritten, not merged, or to be rebased"
        current = [replace(plan, action=Action.CURRENT, reason=reason, files=()) for plan in plans]
        return head.plan(current, superseded=True)
    plans = [_aim(source, plan, targets, history) for plan in plans]
    plans = _hold_moved_back(source, tip, plans, registry) if holds else plans
    manifests = source.manifests(tip)
    warnings = manifests.warnings({service.repository for service in head.present})
    broken = manifests.deployed.broken.values() if len(head.services) == len(source.config.services) else ()
    plan = head.plan(_ask_registry(registry, plans))
    return replace(plan, warnings=tuple(warnings), broken=tuple(broken))


def _aim(source: Source, plan: ServicePlan, targets: Mapping[str, str], history: History) -> ServicePlan:
    target = targets.get(plan.service.name)
    if target is None or plan.action is Action.HELD:
        return plan
    return actions.aim(_with_target(source, plan, targets), target, history)


def _stale(plans: Iterable[ServicePlan]) -> list[Service]:
    return list({plan.service.name: plan.service for plan in plans if plan.is_to_build}.values())


def _hold_moved_back(
    source: Source, tip: Tip, plans: list[ServicePlan], registry: Registry | None
) -> list[ServicePlan]:
    """Leave alone what somebody moved back; only what would move forward needs the manifests' log for that."""
    stale = _stale(plan for plan in plans if plan.deployed)
    if not stale:
        return plans
    from orbit_release.flows.reverted_releases import moved_back  # noqa: PLC0415

    back = moved_back(source, tip, stale, registry)
    return [actions.held(plan, str(back[plan.service.name])) if plan.service.name in back else plan for plan in plans]


def _assessed(
    source: Source,
    head: ServicesAtHead,
    tip: Tip,
    registry: Registry | None,
    *,
    holds: bool,
    free: Collection[str],
) -> list[ServicePlan]:
    """Decide what trees can tell, for each reference that the manifests carry of a service."""
    now, let_go = source.deployed(tip), {*free, *free_pins(source, tip, head.present)}
    uncertain: list[ServicePlan] = []
    pairs: list[tuple[Service, Deployment | None]] = []
    for service in head.present:
        if faults := now.faults(service.repository):
            uncertain.append(actions.uncertain(service, faults[0]))
            continue
        is_free = service.name in let_go
        images = now[service.repository]
        carried = dict.fromkeys((image.reference, image.hold if holds else None) for image in images)
        pairs += [
            (service, Deployment(reference, hold, source.commit_of(reference, registry), is_free=is_free))
            for reference, hold in carried
        ] or [(service, None)]
    return [*uncertain, *_assessed_by_inputs(source, head, tip, pairs)]


def _assessed_by_inputs(
    source: Source, head: ServicesAtHead, tip: Tip, pairs: Sequence[tuple[Service, Deployment | None]]
) -> Iterator[ServicePlan]:
    """Compare the inputs and the settings at what is deployed with those at head."""
    commits = {deployed.commit for _, deployed in pairs if deployed and deployed.commit}
    inputs = {commit: head.inputs(files) for commit, files in source.git.changes(commits, head.commit).items()}
    new, scheme = source.settings(head.commit), source.config.tag_scheme
    for service, deployed in pairs:
        commit = deployed.commit if deployed else None
        files = inputs[commit].get(service.name, ()) if commit else ()
        differ = commit is not None and settings_differ(source.settings(commit), new, service)
        why = source.why_unmanaged(tip, service) if deployed is None else ""
        yield actions.assess(service, deployed, files, settings_changed=differ, scheme=scheme, unmanaged=why)


def _targets(source: Source, head: ServicesAtHead, services: Sequence[Service]) -> dict[str, str]:
    if not services:
        return {}
    with source.git.first_parents(head.commit) as commits:
        targets = find_targets(head, services, commits, source.settings, source.config_path)
    if missing := [service.name for service in services if service.name not in targets]:
        message = f"no commit up to {head.commit[:7]} changed the inputs of {', '.join(missing)}"
        raise UnavailableError(message, "see what `git fsck` says of this clone.")
    return targets


def _ask_registry(registry: Registry | None, plans: Sequence[ServicePlan]) -> Sequence[ServicePlan]:
    """Take into account what the registry has under the targets' tags."""
    if registry is None:
        return plans

    def ask(plan: ServicePlan) -> ServicePlan:
        if not plan.is_to_build or plan.tag is None:
            return plan
        image = registry.image(plan.service.repository, plan.tag)
        plan = actions.clash_checked(plan, image.revision if image else None)
        return actions.with_image(plan, there=image is not None)

    return side_by_side(ask, plans)


def _forced(source: Source, head: ServicesAtHead, plan: Plan, registry: Registry | None) -> Plan:
    """Build again what is current or built already; what is held, absent or older than what is deployed stays."""
    again = [service for service in plan.with_action(Action.CURRENT, Action.RELEASE) if not service.is_newer]
    if plan.superseded or not again:
        return plan
    source.git.deepen()
    targets = _targets(source, head, [current.service for current in again])
    forced: dict[str, ServicePlan] = {}
    for current in again:
        reason = f"forced; {current.reason}"
        build = replace(_with_target(source, current, targets), action=Action.BUILD, reason=reason)
        image = registry.image(build.service.repository, build.tag) if registry and build.tag else None
        forced[build.service.name] = actions.clash_checked(build, image.revision if image else None)
    return replace(plan, services=tuple(forced.get(decided.service.name, decided) for decided in plan.services))


def _with_latest(source: Source, plan: Plan, registry: Registry, tip: Tip | None) -> Plan:
    """Let `latest` stay where a build is older than what it is now: an old run that came late."""
    tip = tip or source.git.tip(source.config.branch, fetch=False)
    builds = {build.service.name: build for build in plan.to_build if build.target}
    running = side_by_side(lambda build: registry.image(build.service.repository, LATEST), builds.values())
    forward = may_move(source, tip, running, [build.target or "" for build in builds.values()])
    moves = dict(zip(builds, forward, strict=True))
    services = (replace(decided, latest=moves.get(decided.service.name, True)) for decided in plan.services)
    return replace(plan, services=tuple(services))


def may_move(source: Source, tip: Tip, latest: Sequence[RemoteImage | None], targets: Sequence[str]) -> list[bool]:
    """Tell for each `latest` whether it may move to a target, which it does forward and along the release branch."""
    git = source.git
    running = [git.fetch_commit(image.revision) if image and image.revision else None for image in latest]
    is_ancestor = git.history([tip.commit, *targets, *filter(None, running)]).is_ancestor
    return [
        is_ancestor(target, tip.commit) and (now is None or now == target or not is_ancestor(target, now))
        for now, target in zip(running, targets, strict=True)
    ]
