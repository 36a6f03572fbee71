"""What a command reads: the clone, the configuration, and what the manifests say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from orbit_release import config as configuration
from orbit_release.config import Config
from orbit_release.errors import ConfigurationError, NotFoundError, OrbitReleaseError
from orbit_release.git.clone import Clone, Tip
from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.objects import is_below
from orbit_release.service import BuildSettings, Service

if TYPE_CHECKING:
    from orbit_release.manifests.deployed import Deployed, Manifests, Search
    from orbit_release.manifests.entries.files import Files
    from orbit_release.registry.client import Registry


@dataclass(frozen=True, slots=True)
class Source:
    """Where a command reads: the clone, the configuration and, if it lies in the clone, that file's path there.

    `config_name` is what the file is called in messages.
    """

    git: Clone
    config: Config
    config_path: str | None
    config_data: bytes
    config_name: str = ""
    _manifests: dict[str, Manifests] = field(default_factory=dict, init=False, repr=False, compare=False)
    _files: dict[str, Files] = field(default_factory=dict, init=False, repr=False, compare=False)

    def settings(self, commit: str | None) -> Mapping[str, BuildSettings] | None:
        """Return the build settings by service at a commit; None if it has no valid configuration."""
        data = self.git.file(commit, self.config_path) if commit and self.config_path else None
        try:
            config = self.config if data == self.config_data else configuration.load(data, "") if data else None
        except ConfigurationError:
            return None
        return {service.name: service.settings for service in config.services} if config else None

    def service_at(self, service: Service, commit: str) -> Service:
        """Return a service with the build settings of a commit."""
        settings = (self.settings(commit) or {}).get(service.name, service.settings)
        return service if settings == service.settings else replace(service, settings=settings)

    def manifest_paths(self, tip: Tip) -> list[str]:
        """Return where what is deployed is written, now and before: also the bases that entries include."""
        return list(dict.fromkeys((*self.manifest_folders(tip), *self.bases(tip))))

    def manifest_folders(self, tip: Tip) -> list[str]:
        """Return the paths of the manifests, and those where they were before, as the configuration's log tells."""
        if self.config_path is None:
            return [*self.config.manifests]
        with self.git.log(tip.commit, [self.config_path]) as log:
            blobs = [file.before for _, files in log for file in files if file.before]
        self.git.have(blobs)
        paths = [*self.config.manifests]
        for blob in blobs:
            with suppress(ConfigurationError):
                paths += configuration.load(self.git.blob(blob), "").manifests
        return list(dict.fromkeys(paths))

    def bases(self, tip: Tip) -> list[str]:
        """Return the files outside of the configuration's paths that entries are made of."""
        from orbit_release.manifests.entries.applied_files import entries_at  # noqa: PLC0415
        from orbit_release.manifests.entries.contents import files_of  # noqa: PLC0415

        own, files = self.config.manifests, self.files(tip.commit)
        made_of = (file for path in own for file in files_of(entries_at(path, files), files, self.config.fields))
        return sorted({file for file in made_of if not any(is_below(file, path) for path in own)})

    def manifests(self, tip: Tip) -> Manifests:
        """Return the manifests at a commit, and what they deploy; they are read once."""
        if tip.commit not in self._manifests:
            from orbit_release.manifests.deployed import Manifests  # noqa: PLC0415  (comparing two trees reads none)

            self._manifests[tip.commit] = Manifests.read(self.files(tip.commit), self.search)
        return self._manifests[tip.commit]

    def with_workloads(self, tip: Tip) -> Deployed:
        """Return what is deployed at a commit, and what runs it."""
        from orbit_release.manifests.deployed import read_deployed  # noqa: PLC0415

        # All images: a workload of somebody else's may have the name of one of ours, in another namespace.
        return read_deployed(self.files(tip.commit), replace(self.search, repositories=None, apart=False))

    @property
    def search(self) -> Search:
        from orbit_release.manifests.deployed import Search  # noqa: PLC0415

        repositories = [service.repository for service in self.config.services]
        return Search(self.config.manifests, repositories, self.config.fields, apart=True)

    def files(self, commit: str) -> Files:
        """Return the files that manifests are read from at a commit, each read and parsed once."""
        if commit not in self._files:
            from orbit_release.manifests.entries.files import Files  # noqa: PLC0415

            blobs = self.blobs(commit, self.config.manifests)

            def read(path: str) -> bytes | None:
                return self.git.blob(blobs[path]) if path in blobs else self.git.plain_file(commit, path)

            self._files[commit] = Files(blobs, read, lambda: self.git.kustomizations(commit))
        return self._files[commit]

    def blobs(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return the blobs of the files at or below some paths, by path; a symbolic link is no file."""
        listed = (file for path in paths for file in self.git.tree_files(commit, path))
        return {path_text(file.path): file.blob for file in listed if not file.is_link}

    def deployed(self, tip: Tip) -> Deployed:
        """Return what is deployed at the release branch's tip; ConfigurationError where no manifests can be meant."""
        deployed = self.manifests(tip).deployed
        at = f"{tip.branch} ({tip.commit[:7]})" if tip.branch else tip.commit[:7]
        if deployed.overlays:
            raise deployed.overlays
        for path in deployed.absent:
            submodule = self.git.submodule_above(tip.commit, path)
            if submodule:
                hint = f"{submodule} is a submodule: manifests must lie in this repository."
                raise ConfigurationError(f"manifests: {path} cannot be read at {at}", hint)
            hint = f"correct `manifests:` in {self.config_name or configuration.FILE_NAME}, or commit and push them."
            raise ConfigurationError(f"manifests: there is no manifest at {path} on {at}", hint)
        if any(service.is_deployed for service in self.config.services):
            for path in deployed.unnamed:
                raise ConfigurationError(f"manifests: {path} names no service at {at}", self._how_to_name(tip))
        return deployed

    def require_manifests(self, tip: Tip) -> None:
        """Raise ConfigurationError for a path without files, and for two overlays of one base."""
        from orbit_release.manifests.entries.applied_files import entries_at  # noqa: PLC0415

        files = self.files(tip.commit)
        entries = [entries_at(path, files) for path in self.config.manifests]
        # Only several kustomizations can be overlays of one base: else nothing need be read.
        if any(not (each.kustomizations or each.others) or len(each.kustomizations) > 1 for each in entries):
            self.deployed(tip)

    def _how_to_name(self, tip: Tip) -> str:
        manifests = self.manifests(tip)
        if refused := manifests.deployed.refused:
            return f"mend {refused[0]}."
        if where := next(iter(manifests.only_named().values()), None):
            if manifests.is_left_out(where):
                return f"{where} names one, and no kustomization includes that file: add it to `resources:`."
            field = "name the field of a custom resource in `fields:`, a file of Helm values in `manifests:`"
            return f"{where} names one where no image is known: {field}, or deploy it by a workload."
        first = self.config.services[0].repository
        for why in manifests.deployed.unseen:
            return f"{why}: set the tag in front of it, `images: [{{name: {first}, newTag: latest}}]`."
        return f"write {first}:latest in a workload, a kustomization or Helm values there, or correct `image:`."

    def references_at(self, commit: str) -> Mapping[Repository, frozenset[ImageReference]]:
        """Return what each service's repository is deployed with by the manifests of any commit."""
        deployed = self.manifests(Tip("", commit, None)).deployed
        repositories = [service.repository for service in self.config.services]
        return {name: frozenset(image.reference for image in deployed[name]) for name in repositories}

    def is_edited(self, at: Callable[[], str]) -> Callable[[bytes], bool]:
        """Return whether a release may edit a file: it holds an image of a service at the commit that `at` gives.

        The manifests are read when the first file is asked about.
        """

        @cache
        def files() -> frozenset[bytes]:
            deployed = self.manifests(Tip(self.config.branch, at(), None)).deployed
            paths = {value.path for place in deployed.places for value in place.value.deciders}
            return frozenset(path.encode("utf-8", "surrogateescape") for path in paths)

        return lambda path: path in files()

    def not_named(self, tip: Tip, service: Service, hint: str = "") -> OrbitReleaseError:
        """Return the error of a service that no entry names, or of which nobody can tell."""
        deployed = self.manifests(tip).deployed
        for fault in deployed.faults(service.repository):
            return fault
        name_it = f"name it in a workload, a kustomization or Helm values under {self.config.where}"
        name_it += ", or `deploy: false`." if service.is_deployed else ", and take `deploy: false` out."
        mend = [f"mend {why}." for why in deployed.refused]
        return NotFoundError(self.why_unmanaged(tip, service), hint or next(iter(mend), name_it))

    def why_unmanaged(self, tip: Tip, service: Service) -> str:
        manifests = self.manifests(tip)
        where = manifests.only_named().get(service.repository)
        if where is None:
            unseen = next((f": {why}" for why in manifests.deployed.unseen), "")
            return f"no manifest names {service.repository}{unseen}"
        if manifests.is_left_out(where):
            return f"no kustomization includes {where}, which names {service.repository}"
        return f"no manifest deploys {service.repository}, which {where} only names"

    def commit_of(self, reference: ImageReference, registry: Registry | None = None) -> str | None:
        """Return the commit that a tag names by the scheme: git's answer, else the image's label; None if unknown.

        An image that is deployed by its digest alone can only be asked for its label.
        """
        prefix = self.config.tag_scheme.commit_prefix(reference.tag)
        asked = reference.tag if prefix else reference.digest if reference.tag is None else None
        commit = self.git.commit_of_prefix(prefix) if prefix else None
        if commit or registry is None or asked is None:
            return commit
        image = registry.image(reference.repository, asked)
        return self.git.fetch_commit(image.revision) if image and image.revision else None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit can be reached from another; about several pairs ask `git.history` once."""
        return self.git.history([older, newer]).is_ancestor(older, newer)


def path_text(path: bytes) -> str:
    """Return git's name of a file as text; bytes that are no UTF-8 are kept."""
    return path.decode("utf-8", "surrogateescape")
