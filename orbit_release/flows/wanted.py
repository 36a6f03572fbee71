"""The release that is waited for: what git says of a revision that Argo CD names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from orbit_release.argocd.observation import Observation
from orbit_release.argocd.verdict import Look, Relation
from orbit_release.errors import NotFoundError
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import ImageReference
from orbit_release.manifests.workloads import Owners, owners, running_images, workloads
from orbit_release.service import Service

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class State:
    """What the manifests of a commit say of the services, by name: their references, and those that must run.

    `owners` are the services that workloads run images of.
    """

    references: Mapping[str, frozenset[str]]
    running: Mapping[str, tuple[str, ...]]
    owners: Owners


def read_state(source: Source, tip: Tip) -> State:
    """Read what the manifests at a tip say of all services."""
    found, services = source.deployed(tip), source.config.services
    among = list(workloads(source.manifests(tip)))
    references = {one.name: frozenset(str(i.reference) for i in found[one.repository]) for one in services}
    running = {one.name: running_images(found[one.repository], among) for one in services}
    return State(references, running, owners(among, services))


@dataclass
class Wanted:
    """A revision (the full name of a commit), and the services whose images are looked at."""

    source: Source
    services: Sequence[Service]
    tip: Tip
    revision: str
    _states: dict[str, State] = field(default_factory=dict)
    _relations: dict[str, Relation] = field(default_factory=dict)
    _unknown: Counter[str] = field(default_factory=Counter)
    _older: str = ""

    @classmethod
    def find(cls, source: Source, services: Sequence[Service], revision: str | None, *, named: bool = False) -> Wanted:
        """Find a revision, by default the newest commit of the manifests on the release branch.

        NotFoundError where there is none, or it has no image of a service that was `named`.
        """
        source.git.deepen()  # in a shallow clone no question about ancestors has an answer
        tip = source.git.tip(source.config.branch, fetch=True)
        commit = _named(source, revision) if revision else _newest(source, tip.commit)
        wanted = cls(source, services, tip, commit)
        found = wanted.state(commit).references
        absent = [one for one in services if not found[one.name]]
        if absent and (named or len(absent) == len(services)):
            hint = f"name it in a workload or a kustomization under {source.config.manifests}, on the release branch."
            raise NotFoundError(f"no manifest names {absent[0].repository} at {commit[:7]}", hint)
        return wanted

    def look(self, observation: Observation) -> Look:
        """Tell how an observation stands to the wanted revision."""
        # Where manifests cannot be read, Argo CD names none, or the branch that it follows.
        is_named = not observation.errors or _COMMIT.fullmatch(observation.revision)
        compared = self._relation(observation.revision if is_named else "")
        operated = self._relation(observation.operation.revision if observation.operation else "")
        is_ours = compared is Relation.OURS
        seen = observation.revision if is_ours else self.revision
        released = tuple(name for name, references in self.released(seen).items() if references)
        look = Look(observation, compared, operated, released=released, owners=self.state(seen).owners)
        self._older = self._applied_before(look) or self._older
        if not is_ours:
            return look
        images = tuple(image for some in self.images(observation).values() for image in some)
        return replace(look, images=images, replaced_by=self._replaced_by(seen), older=self._older)

    def _applied_before(self, look: Look) -> str:
        """Return the older revision that is or was applied, as far as a look tells."""
        if look.compared is Relation.OLDER and look.observation.sync == "Synced":
            return look.observation.revision
        synced = (one for one in reversed(look.observation.history) if _COMMIT.fullmatch(one))
        there = filter(self.source.git.commit, synced)  # as is all that ours comes from: nothing need be fetched
        return next((one for one in there if self._relation(one) is Relation.OLDER), "")

    def images(self, ours: Observation | None = None) -> Mapping[str, tuple[str, ...]]:
        """Return, by service, the references that must run at the wanted revision, or at a descendant that is seen."""
        running = self.state(ours.revision if ours else self.revision).running
        return {one.name: running[one.name] for one in self.services}

    def state(self, commit: str) -> State:
        """Return what the manifests of a commit say of the services."""
        if commit not in self._states:
            self._states[commit] = read_state(self.source, Tip(self.tip.branch, commit, None))
        return self._states[commit]

    def released(self, until: str) -> Mapping[str, frozenset[str]]:
        """Return, by service, the references that a commit has from the wanted revision on."""
        now, parent = self.state(until).references, self.source.git.commit(f"{self.revision}^")
        before = self.state(parent).references if parent else {}
        return {name: references - before.get(name, frozenset()) for name, references in now.items()}

    def _relation(self, revision: str) -> Relation:
        if not revision:
            return Relation.NONE
        if revision in self._relations:
            return self._relations[revision]
        commit = self._known(revision)
        if commit is None:  # it may be there the next time
            return Relation.UNRELATED
        history = self.source.git.history([commit, self.revision])
        is_ours, is_older = history.is_ancestor(self.revision, commit), history.is_ancestor(commit, self.revision)
        found = Relation.OURS if is_ours else Relation.OLDER if is_older else Relation.UNRELATED
        self._relations[revision] = found
        return found

    def _known(self, revision: str) -> str | None:
        git = self.source.git
        if not _COMMIT.fullmatch(revision):  # the version of a chart, say, which may be the name of a tag as well
            return None
        if found := git.commit(revision):
            return found
        self._unknown[revision] += 1
        if self._unknown[revision].bit_count() > 1:  # the remote is asked again less and less often
            return None
        git.tip(self.tip.branch, fetch=True)
        return git.fetch_commit(revision)

    def _replaced_by(self, revision: str) -> str | None:
        """Return the commit that put something else in the place of all that ours brought, as of a descendant."""
        ours = self._tagged(self.released(self.revision))
        if revision == self.revision or not ours or ours & self._tagged(self.state(revision).references):
            return None
        later = self._later(revision)
        return next((one for one in later if not ours & self._tagged(self.state(one).references)), revision)

    def _later(self, revision: str) -> list[str]:
        """Return the commits of the manifests between ours and a descendant, the oldest first."""
        git = self.source.git
        with git.log(revision, [self.source.config.manifests]) as log:
            names = [commit.name for commit, _ in takewhile(lambda pair: pair[0].name != self.revision, log)]
        history = git.history([self.revision, *names])
        return [name for name in reversed(names) if history.is_ancestor(self.revision, name)]

    def _tagged(self, references: Mapping[str, frozenset[str]]) -> frozenset[str]:
        """Return the services' references; a digest beside a tag is no other release."""
        found = [ImageReference.parse(text) for one in self.services for text in references[one.name]]
        return frozenset(str(replace(one, digest=None) if one.tag else one) for one in found)


def _named(source: Source, revision: str) -> str:
    commit = source.git.commit(revision) or source.git.fetch_commit(revision)
    if commit is None:
        raise NotFoundError(f"{revision} is no commit of this repository", "orbit-release history names the releases.")
    return commit


def _newest(source: Source, commit: str) -> str:
    with source.git.log(commit, [source.config.manifests]) as log:
        newest = next(log, None)
    if newest is None:
        raise NotFoundError(f"there are no manifests under {source.config.manifests}", "check `manifests:`.")
    return newest[0].name
