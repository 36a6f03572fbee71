"""The checks of `doctor`, one for each group: each asks an outside system, and has others judge the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from orbit_release.argocd import client as argocd_api
from orbit_release.argocd.application import Application, ApplicationSource, only_application
from orbit_release.config import ArgoCDNames
from orbit_release.doctor import judgements
from orbit_release.doctor.checklist import (
    Check,
    ChecklistLine,
    error_line,
    failed_line,
    listed,
    ok_line,
    unchecked_line,
)
from orbit_release.doctor.git_remote import remote_tip, try_push
from orbit_release.doctor.judgements import Certificate, RegistryAnswer
from orbit_release.doctor.manifest_needs import Needs
from orbit_release.doppler import client as doppler_api
from orbit_release.errors import AccessError, OrbitReleaseError
from orbit_release.flows.side_by_side import side_by_side
from orbit_release.git.clone import Clone, Tip
from orbit_release.github import client as github_api
from orbit_release.image import LATEST, ImageReference
from orbit_release.registry.client import Registry


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is to look at; a system is None where no token for it is set.

    `anonymous` is the registries as the cluster meets them without a pull secret. `seconds`: how long a single
    question may take.
    """

    git: Clone
    tip: Tip
    needs: Needs
    ours: ApplicationSource
    names: ArgoCDNames
    seconds: float
    github: Callable[[], github_api.GitHub | None]
    registry: Registry
    anonymous: Registry
    builder: Callable[[], str]
    doppler: Callable[[], doppler_api.Doppler | None]
    argocd: Callable[[], argocd_api.ArgoCD | None]
    addresses: Callable[[str], list[str]]
    certificate: Callable[[str], Certificate]
    now: float

    def checks(self) -> dict[str, Check]:
        checks = (
            Check("git", ("remote", "push"), self._git),
            Check("github", ("token", "branch", "publish"), self._github),
            Check("registry", ("images", "pull"), self._registry),
            Check("builder", ("engine",), self._builder),
            Check("doppler", ("keys",), self._doppler),
            Check("dns", self.needs.hosts or ("names",), self._dns),
            Check("certificate", self.needs.secured or ("names",), self._certificates),
            Check("argocd", ("server", "source", "sync"), self._argocd),
            Check("nfs", ("directories",), self._nfs),
        )
        return {check.group: check for check in checks}

    def _git(self) -> Iterator[ChecklistLine]:
        remote, branch = self.tip.remote, self.tip.branch
        if remote is None:
            yield unchecked_line("git", "remote", "this clone has no remote", "git remote add origin ADDRESS")
            return
        commit = remote_tip(self.git, self.tip, self.seconds)
        if commit is None:
            hint = f"create it with `git push {remote} HEAD:{branch}`, or set `branch:` in orbit-release.yaml."
            yield failed_line("git", "remote", f"{remote} has no branch {branch}", hint)
        else:
            yield ok_line("git", "remote", f"{remote} answers: {branch} is at {commit[:7]}")
        try_push(self.git, self.tip, self.seconds)
        yield ok_line("git", "push", f"{remote} lets you push (a dry run; the branch's rules are not asked)")

    def _github(self) -> Iterator[ChecklistLine]:
        if (repository := self.github()) is None:
            yield unchecked_line("github", "token", "GITHUB_TOKEN is not set", github_api.TOKEN_HINT)
            return
        access = repository.push_rights(self.tip.branch)
        yield ok_line("github", "token", f"GITHUB_TOKEN opens {repository.repository}")
        yield judgements.branch_line(self.tip.branch, access)
        yield judgements.publish_line(self.tip.branch, access)

    def _registry(self) -> Iterator[ChecklistLine]:
        if self.needs.images:
            answers = side_by_side(self._ask_registry, self.needs.images)
            yield judgements.images_line(answers)
            yield judgements.pull_line(answers, self.needs.images)
        else:
            yield unchecked_line("registry", "images", "the manifests name no image", "see `manifests:`.")

    def _ask_registry(self, image: ImageReference) -> RegistryAnswer:
        name = image.digest or image.tag or LATEST
        try:
            with suppress(AccessError):
                return RegistryAnswer(image, is_there=self.anonymous.has(image.repository, name), is_public=True)
            return RegistryAnswer(image, is_there=self.registry.has(image.repository, name))
        except OrbitReleaseError as error:
            is_denied = isinstance(error, AccessError)
            return RegistryAnswer(image, error=error.message, hint=error.hint, is_denied=is_denied)

    def _builder(self) -> Iterator[ChecklistLine]:
        yield ok_line("builder", "engine", self.builder())

    def _doppler(self) -> Iterator[ChecklistLine]:
        keys = {key for keys in self.needs.keys.values() for key in keys}
        if not keys:
            yield unchecked_line("doppler", "keys", "the manifests have no ExternalSecret")
        elif (store := self.doppler()) is None:
            what = f"DOPPLER_TOKEN is not set; the manifests ask for {len(keys)} keys"
            yield unchecked_line("doppler", "keys", what, doppler_api.TOKEN_HINT)
        else:
            yield judgements.keys_line(keys, store.names(), listed(self.needs.keys) or "no store")

    def _dns(self) -> Iterator[ChecklistLine]:
        if not self.needs.hosts:
            yield unchecked_line("dns", "names", "the manifests have no HTTPRoute or Ingress")
        yield from side_by_side(self._name_line, self.needs.hosts)

    def _name_line(self, host: str) -> ChecklistLine:
        try:
            return ok_line("dns", host, f"resolves to {listed(self.addresses(host))}")
        except OrbitReleaseError as error:
            return error_line("dns", host, error)

    def _certificates(self) -> Iterator[ChecklistLine]:
        if not self.needs.secured:
            yield unchecked_line("certificate", "names", "the manifests have no host with TLS")
        yield from side_by_side(self._certificate_line, self.needs.secured)

    def _certificate_line(self, host: str) -> ChecklistLine:
        try:
            self.addresses(host)
        except OrbitReleaseError as error:
            return unchecked_line("certificate", host, error.message, "mend its record first.")
        try:
            return judgements.certificate_line(host, self.certificate(host), self.now)
        except OrbitReleaseError as error:
            return error_line("certificate", host, error)

    def _argocd(self) -> Iterator[ChecklistLine]:
        if (server := self.argocd()) is None:
            what = "ARGOCD_SERVER or ARGOCD_AUTH_TOKEN is not set"
            yield unchecked_line("argocd", "server", what, argocd_api.TOKEN_HINT)
            return
        application = self._application(server)
        if isinstance(application, ChecklistLine):
            yield ok_line("argocd", "server", f"{server.host} answers")
            yield application
            return
        yield ok_line("argocd", "server", f"{server.host} answers, and shows {application.name}")
        if self.ours.repository:
            yield judgements.source_line(application, self.ours)
        else:
            what = "this clone's remote has no address to compare with"
            yield unchecked_line("argocd", "source", what, "set GITHUB_SERVER_URL and GITHUB_REPOSITORY.")
        yield judgements.sync_line(application)

    def _application(self, server: argocd_api.ArgoCD) -> Application | ChecklistLine:
        """Return the application that the configuration names, else the only one that syncs the manifests."""
        project, namespace = self.names.project, self.names.namespace
        if self.names.application:
            return server.application(self.names.application, project=project, namespace=namespace)
        found = only_application(server.applications(project=project, namespace=namespace), self.ours)
        if isinstance(found, Application):
            return found
        fix = "set `argocd.application` in orbit-release.yaml."
        if found:
            what = f"several applications sync {self.ours.path}: {listed(found)}"
            return unchecked_line("argocd", "source", what, fix)
        what = f"no application that this token sees syncs {self.ours.path} of this repository"
        return failed_line("argocd", "source", what, f"make one (infrastructure/gitops), or {fix}")

    def _nfs(self) -> Iterator[ChecklistLine]:
        if not self.needs.directories:
            yield unchecked_line("nfs", "directories", "the manifests have no NFS volume")
        yield from judgements.directory_lines(self.needs.directories)
