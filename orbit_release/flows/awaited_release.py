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
from orbit_release.manifests.workloads import Owners, owners, running_images
from orbit_release.service import Service

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DeployedImages:
    """What the manifests of a commit say of all services: by name their references, and those that must run."""

    references: Mapping[str, frozenset[ImageReference]]
    running: Mapping[str, tuple[ImageReference, ...]]
    owners: Owners

    @classmethod
    def read(cls, source: Source, tip: Tip) -> DeployedImages:
        images, services = source.with_workloads(tip), source.config.services
        among = images.workloads
        return cls(
            {service.name: frozenset(image.reference for image in images[service.repository]) for service in services},
            {service.name: running_images(images[service.repository], among) for service in services},
            owners(among, services),
        )


@dataclass
class AwaitedRelease:
    """The revision that is waited for (a commit's full name), and the services whose images must run."""

    source: Source
    services: Sequence[Service]
    tip: Tip
    revision: str
    _deployed: dict[str, DeployedImages] = field(default_factory=dict)
    _relations: dict[str, Relation] = field(default_factory=dict)
    _unknown: Counter[str] = field(default_factory=Counter)
    _older: str = ""

    @classmethod
    def find(
        cls, source: Source, services: Sequence[Service], revision: str | None, *, named: bool = False
    ) -> AwaitedRelease:
        """Find a revision, by default the newest commit of the manifests on the release branch.

        NotFoundError where there is none, or it has no image of a service that was `named`.
        """
        source.git.deepen()  # in a shallow clone no question about ancestors has an answer
        tip = source.git.tip(source.config.branch, fetch=True)
        commit = _commit(source, tip, revision)
        awaited = cls(source, services, tip, commit)
        references = awaited.deployed(commit).references
        absent = [service for service in services if not references[service.name]]
        if absent and (named or len(absent) == len(services)):
            hint = f"name it in a workload or a kustomization under {source.config.where}, on the release branch."
            raise NotFoundError(f"no manifest names {absent[0].repository} at {commit[:7]}", hint)
        return awaited

    def look(self, observation: Observation) -> Look:
        # Where manifests cannot be read, Argo CD names none, or the branch that it follows.
        is_named = not observation.errors or _COMMIT.fullmatch(observation.revision)
        compared = self._relation(observation.revision if is_named else "")
        operated = self._relation(observation.operation.revision if observation.operation else "")
        is_ours = compared is Relation.OURS
        seen = observation.revision if is_ours else self.revision
        released = tuple(name for name, references in self._released(seen).items() if references)
        look = Look(observation, compared, operated, released=released, owners=self.deployed(seen).owners)
        self._older = self._applied_before(look) or self._older
        if not is_ours:
            return look
        images = tuple(image for references in self.images(seen).values() for image in references)
        return replace(look, images=images, replaced_by=self._replaced_by(seen), older=self._older)

    def _applied_before(self, look: Look) -> str:
        """Return the older revision that is or was applied, as far as a look tells."""
        if look.compared is Relation.OLDER and look.observation.sync == "Synced":
            return look.observation.revision
        synced = filter(_COMMIT.fullmatch, reversed(look.observation.history))
        known = filter(self.source.git.commit, synced)  # as is all that ours comes from: nothing need be fetched
        return next((revision for revision in known if self._relation(revision) is Relation.OLDER), "")

    def images(self, commit: str) -> Mapping[str, tuple[ImageReference, ...]]:
        """Return, by service, the references that must run by the manifests of a commit."""
        running = self.deployed(commit).running
        return {service.name: running[service.name] for service in self.services}

    def deployed(self, commit: str) -> DeployedImages:
        if commit not in self._deployed:
            self._deployed[commit] = DeployedImages.read(self.source, Tip(self.tip.branch, commit, None))
        return self._deployed[commit]

    def _released(self, until: str) -> Mapping[str, frozenset[ImageReference]]:
        """Return, by service, the references that a commit has from the awaited revision on."""
        now, parent = self.deployed(until).references, self.source.git.commit(f"{self.revision}^")
        before = self.deployed(parent).references if parent else {}
        return {name: references - before.get(name, frozenset()) for name, references in now.items()}

    def _relation(self, revision: str) -> Relation:
        if not revision:
            return Relation.NONE
        if revision not in self._relations:
            commit = self._known(revision)
            if commit is None:  # it may be there the next time
                return Relation.UNRELATED
            history = self.source.git.history([commit, self.revision])
            is_ours, is_older = history.is_ancestor(self.revision, commit), history.is_ancestor(commit, self.revision)
            relation = Relation.OURS if is_ours else Relation.OLDER if is_older else Relation.UNRELATED
            self._relations[revision] = relation
        return self._relations[revision]

    def _known(self, revision: str) -> str | None:
        git = self.source.git
        if not _COMMIT.fullmatch(revision):  # the version of a chart, say, which may be the name of a tag as well
            return None
        if commit := git.commit(revision):
            return commit
        self._unknown[revision] += 1
        if self._unknown[revision].bit_count() > 1:  # the remote is asked again less and less often
            return None
        git.tip(self.tip.branch, fetch=True)
        return git.fetch_commit(revision)

    def _replaced_by(self, revision: str) -> str | None:
        """Return the commit since which a descendant has nothing left of what ours brought; None if it has."""
        ours = self._tagged(self._released(self.revision))
        if revision == self.revision or not ours or ours & self._tagged(self.deployed(revision).references):
            return None
        later = self._later(revision)
        return next((commit for commit in later if not ours & self._tagged(self.deployed(commit).references)), revision)

    def _later(self, revision: str) -> list[str]:
        """Return the commits of the manifests between ours and a descendant, the oldest first."""
        git = self.source.git
        with git.log(
            revision, [*self.source.config.manifests, *self.source.bases(Tip(self.tip.branch, revision, None))]
        ) as log:
            names = [commit.name for commit, _ in takewhile(lambda pair: pair[0].name != self.revision, log)]
        history = git.history([self.revision, *names])
        return [name for name in reversed(names) if history.is_ancestor(self.revision, name)]

    def _tagged(self, references: Mapping[str, frozenset[ImageReference]]) -> frozenset[ImageReference]:
        """Return the services' references; a digest beside a tag is no other release."""
        images = [image for service in self.services for image in references[service.name]]
        return frozenset(replace(image, digest=None) if image.tag else image for image in images)


def _commit(source: Source, tip: Tip, revision: str | None) -> str:
    if revision:
        commit = source.git.commit(revision) or source.git.fetch_commit(revision)
        if commit is None:
            hint = "orbit-release history names the releases."
            raise NotFoundError(f"{revision} is no commit of this repository", hint)
        return commit
    with source.git.log(tip.commit, [*source.config.manifests, *source.bases(tip)]) as log:
        newest = next(log, None)
    if newest is None:
        raise NotFoundError(f"there are no manifests under {source.config.where}", "check `manifests:`.")
    return newest[0].name
