"""A service's target: the newest first-parent commit up to head that changed what its image is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orbit_release.errors import ConflictError
from orbit_release.git.graph import ChangedFile
from orbit_release.planning.actions import Action, Plan, ServicePlan, absent, describe, most_urgent
from orbit_release.planning.input_index import InputIndex
from orbit_release.service import BuildSettings, Service

Settings = Mapping[str, BuildSettings] | None  # by service; None where there is no valid configuration


def _none_edited(_path: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ServicesAtHead:
    """The services to plan for; `present` are those that have their Dockerfile at the commit.

    `own_ignore_files`: the names of those whose Dockerfile has an ignore file of its own. `is_edited` says whether a
    release may edit a file, which is then no input.
    """

    commit: str
    services: tuple[Service, ...]
    present: tuple[Service, ...]
    own_ignore_files: frozenset[str]
    is_edited: Callable[[bytes], bool] = _none_edited
    _index: InputIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = InputIndex(self.present, lambda service: service.name in self.own_ignore_files, self.is_edited)
        object.__setattr__(self, "_index", index)

    def inputs(self, files: Iterable[ChangedFile]) -> dict[str, tuple[ChangedFile, ...]]:
        """Return, by service, which of some files are its inputs; services without any are left out."""
        inputs: dict[str, list[ChangedFile]] = {}
        for file in files:
            for name in self._index.services_of(file.path):
                inputs.setdefault(name, []).append(file)
        return {name: tuple(own) for name, own in inputs.items()}

    def plan(self, plans: Iterable[ServicePlan], base: str | None = None, *, superseded: bool = False) -> Plan:
        """Put together what was decided: one plan for each service, whose manifests may carry several references."""
        decided: dict[str, list[ServicePlan]] = {}
        for plan in plans:
            decided.setdefault(plan.service.name, []).append(plan)
        missing = f"at {self.commit[:7]}"
        chosen = (
            most_urgent(decided[service.name]) if service in self.present else absent(service, missing)
            for service in self.services
        )
        return Plan(self.commit, tuple(chosen), base, superseded)


def compare(
    head: ServicesAtHead, files: Sequence[ChangedFile], old: Settings, new: Settings, base: str
) -> list[ServicePlan]:
    """Decide as path filters do: what has inputs among the files that differ from a base is to be built."""
    plans = []
    all_inputs = head.inputs(files)
    for service in head.present:
        inputs = all_inputs.get(service.name, ())
        plan = ServicePlan(service, Action.CURRENT, f"no input changed since {base}", files=inputs)
        if inputs or settings_differ(old, new, service):
            plan = replace(plan, action=Action.BUILD, reason=describe(inputs, f"since {base}"))
        plans.append(plan)
    return plans


def settings_differ(old: Settings, new: Settings, service: Service) -> bool:
    return old is not None and new is not None and old.get(service.name) != new.get(service.name)


def find_targets(
    head: ServicesAtHead,
    services: Iterable[Service],
    commits: Iterable[tuple[str, tuple[ChangedFile, ...]]],
    settings_at: Callable[[str], Settings],
    config_path: str | None,
) -> dict[str, str]:
    """Return the targets by service, without those that no commit gives.

    The commits come newest first, with what each changed; no more of them are read than needed.
    """
    left = {service.name: service for service in services}
    targets: dict[str, str] = {}
    settings, since = settings_at(head.commit) if left else None, head.commit
    for commit, files in commits if left else ():
        before = None
        if config_path and any(file.path == config_path.encode() for file in files):
            since = commit if settings_at(commit) else since  # an invalid version in between says nothing
            before = settings_at(f"{commit}^")
        differ = {name for name, service in left.items() if settings_differ(before, settings, service)}
        for name in differ | (head.inputs(files).keys() & left.keys()):
            targets[name] = since if name in differ else commit
            del left[name]
        if not left:
            break
    return targets


def clash_of(plans: Iterable[ServicePlan]) -> ConflictError | None:
    """Return what to tell about targets whose tag the registry has for another commit; None if there are none."""
    reasons = [plan.reason for plan in plans if plan.clash]
    hint = "nothing is overwritten: delete that image, or push one more commit to the service."
    return ConflictError("\n".join(reasons), hint) if reasons else None
