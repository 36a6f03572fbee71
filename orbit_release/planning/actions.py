"""Which service needs what, and why: decided from state alone, so that no event can be lost.

Four facts decide: the head, the inputs of a service at a commit, the reference that is deployed, and what the
registry has. They are gathered in this order, the cheapest first: `assess` needs only trees, `aim` the history of
the branch, `with_image` the registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orbit_release.errors import InvalidError
from orbit_release.git.graph import ChangedFile, History
from orbit_release.image import LATEST, ImageReference, Tag
from orbit_release.service import Service
from orbit_release.tag_scheme import DEFAULT_TAG_SCHEME, TagScheme
from orbit_release.text import counted


class Action(StrEnum):
    CURRENT = "current"
    RELEASE = "release"
    BUILD = "build"
    HELD = "held"
    UNMANAGED = "unmanaged"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A reference that a manifest carries, and the commit that its tag names, as far as it is known.

    `is_free`: if it is a pin, automation may take it over.
    """

    reference: ImageReference
    hold: str | None = None
    commit: str | None = None
    is_free: bool = False

    @property
    def name(self) -> str:
        """What people call it: the tag, or the digest of an image that is deployed without one."""
        return self.reference.suffix.lstrip(":@") or "no tag"


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What one service needs: the action, a reason that a person can read, and what it rests on.

    `target` is the commit to build the image from, `tag` that image's tag, by the `scheme`: set where something is to
    be done.
    """

    service: Service
    action: Action
    reason: str
    deployed: Deployment | None = None
    files: tuple[ChangedFile, ...] = ()
    target: str | None = None
    warning: str | None = None
    is_newer: bool = False  # what is deployed is newer than the target
    clash: bool = False  # the registry has the target's tag for another commit
    latest: bool = True  # the build moves `latest` too
    is_pinned: bool = False  # what is deployed was chosen by hand
    is_built: bool = False  # no entry names it, and the registry has its image
    fault: InvalidError | None = None  # why what is deployed is not certain
    scheme: TagScheme = DEFAULT_TAG_SCHEME

    @property
    def tag(self) -> Tag | None:
        return self.scheme.tag(self.target) if self.target else None

    @property
    def is_to_build(self) -> bool:
        """Whether its image is missing, as far as is known."""
        return self.action is Action.BUILD or (self.action is Action.UNMANAGED and not self.is_built)

    @property
    def image(self) -> ImageReference | None:
        return ImageReference(self.service.repository, self.tag) if self.tag else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What every service needs at a head; base is set where two trees were compared instead of the state."""

    head: str | None
    services: tuple[ServicePlan, ...]
    base: str | None = None
    superseded: bool = False
    warnings: tuple[str, ...] = ()
    broken: tuple[InvalidError, ...] = ()  # files that keep Argo CD from rendering an entry, where all were asked for

    @property
    def to_build(self) -> tuple[ServicePlan, ...]:
        """The services whose images are missing."""
        return tuple(service for service in self.services if service.is_to_build)

    @property
    def pending(self) -> tuple[ServicePlan, ...]:
        """The services that something is to be done for: a build, or a release."""
        return tuple(service for service in self.services if service.is_to_build or service.action is Action.RELEASE)

    def with_action(self, *actions: Action) -> tuple[ServicePlan, ...]:
        return tuple(service for service in self.services if service.action in actions)

    @property
    def is_all_pinned(self) -> bool:
        """Whether services are deployed, and every one of them is pinned."""
        deployed = [service for service in self.services if service.deployed]
        return bool(deployed) and all(service.is_pinned for service in deployed)


def assess(
    service: Service,
    deployed: Deployment | None,
    files: Sequence[ChangedFile],
    *,
    settings_changed: bool,
    scheme: TagScheme = DEFAULT_TAG_SCHEME,
    unmanaged: str = "no manifest names it",
) -> ServicePlan:
    """Decide what trees can tell: held, current, or in need of the target's image.

    `files` are the inputs that differ between the deployed commit and head. What does not fit the scheme is a pin.
    `unmanaged` says why nothing is deployed, if so.
    """
    plan = ServicePlan(service, Action.BUILD, "", deployed, tuple(files), scheme=scheme)
    if deployed is None:
        why = unmanaged if service.is_deployed else "it is only built"
        return replace(plan, action=Action.UNMANAGED if service.is_deployed else Action.BUILD, reason=why)
    if deployed.hold is not None:
        return held(plan, deployed.hold or "no reason given")
    tag = deployed.reference.tag
    is_pin = scheme.is_pin(tag, deployed.commit)
    if tag == LATEST or not deployed.reference.suffix or (is_pin and deployed.is_free):
        return replace(plan, reason=f"never released: deployed is {deployed.name}")
    if is_pin:
        return replace(plan, action=Action.HELD, reason=f"pinned to {tag} by hand", files=(), is_pinned=True)
    if deployed.commit is None:
        return replace(plan, reason=f"{deployed.name} names no commit that is known here")
    if files or settings_changed:
        return replace(plan, reason=describe(files, f"since {deployed.name}"))
    return replace(plan, action=Action.CURRENT, reason=f"no input changed since {deployed.name}")


def describe(files: Sequence[ChangedFile], since: str) -> str:
    """Say why a service is not current; without files its build settings changed."""
    if not files:
        return f"its build settings changed {since}"
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{counted(len(files), 'file')} changed {since}: {files[0]}{more}"


def aim(plan: ServicePlan, target: str, history: History) -> ServicePlan:
    """Give a service its target, unless that would go backwards; both commits are heads of the history."""
    aimed = replace(plan, target=target)
    deployed = plan.deployed
    if deployed is None or deployed.commit is None:
        same = deployed is not None and deployed.reference.tag == aimed.tag
        return _current(aimed, f"{aimed.tag} is deployed") if same else aimed
    if target != deployed.commit and history.is_ancestor(target, deployed.commit):
        return replace(_current(aimed, f"{deployed.name} is newer than {aimed.tag}"), is_newer=True)
    if plan.action is not Action.BUILD:
        return plan
    if target == deployed.commit:
        return _current(aimed, f"{deployed.name} is deployed")
    if not history.is_ancestor(deployed.commit, target):
        return replace(aimed, warning=f"{deployed.name} is not an ancestor of {aimed.tag}: was history rewritten?")
    return aimed


def with_image(plan: ServicePlan, *, there: bool) -> ServicePlan:
    if not plan.is_to_build or not there:
        return plan
    if plan.action is Action.UNMANAGED:
        return replace(plan, is_built=True)
    if plan.deployed is None:
        return _current(plan, f"{plan.tag} is in the registry, and {plan.reason}")
    return replace(plan, action=Action.RELEASE)


def clash_checked(plan: ServicePlan, revision: str | None) -> ServicePlan:
    """Leave a service alone whose tag belongs to the image of another commit: nothing is ever overwritten."""
    if revision in {None, "", plan.target}:
        return plan
    reason = f"{plan.image} was built from {revision}, not from {plan.target}"
    return replace(plan, action=Action.HELD, reason=reason, clash=True)


def held(plan: ServicePlan, reason: str) -> ServicePlan:
    return replace(plan, action=Action.HELD, reason=f"held: {reason}", files=(), target=None, warning=None)


def uncertain(service: Service, fault: InvalidError) -> ServicePlan:
    """Leave a service alone of which nobody can tell what is deployed."""
    return ServicePlan(service, Action.HELD, fault.message, fault=fault)


def absent(service: Service, where: str) -> ServicePlan:
    return ServicePlan(service, Action.ABSENT, f"no {service.settings.dockerfile} {where}")


def most_urgent(plans: Sequence[ServicePlan]) -> ServicePlan:
    """Choose the plan that stands for a service whose manifests carry different references."""
    order = (Action.HELD, Action.BUILD, Action.RELEASE, Action.UNMANAGED, Action.CURRENT)
    # A release sets all of the references, so the newest of them has a veto.
    return min(plans, key=lambda plan: (not plan.is_newer, order.index(plan.action)))


def _current(plan: ServicePlan, reason: str) -> ServicePlan:
    return replace(plan, action=Action.CURRENT, reason=reason, target=None)
