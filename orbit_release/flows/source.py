"""What a command reads: the clone, the configuration, and what the manifests say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from orbit_release import config as configuration
from orbit_release.config import Config
from orbit_release.errors import ConfigurationError, NotFoundError
from orbit_release.git.clone import Clone, Tip
from orbit_release.image import ImageReference, Repository
from orbit_release.manifests.objects import is_manifest
from orbit_release.service import BuildSettings, Service

if TYPE_CHECKING:
    from orbit_release.manifests.rewrite import FoundImage
    from orbit_release.registry.client import Registry

Images = Mapping[Repository, "list[FoundImage]"]


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
    _deployed: dict[str, Images] = field(default_factory=dict, init=False, repr=False, compare=False)

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

    def manifest_folders(self, tip: Tip) -> list[str]:
        """Return the folder of the manifests, and those where they were before, as the configuration's log tells."""
        if self.config_path is None:
            return [self.config.manifests]
        with self.git.log(tip.commit, [self.config_path]) as log:
            blobs = [file.before for _, files in log for file in files if file.before]
        self.git.have(blobs)
        folders = [self.config.manifests]
        for blob in blobs:
            with suppress(ConfigurationError):
                folders.append(configuration.load(self.git.blob(blob), "").manifests)
        return list(dict.fromkeys(folders))

    def deployed(self, tip: Tip) -> Images:
        """Return the references that the manifests at the tip carry, by repository; they are read once."""
        if tip.commit not in self._deployed:
            from orbit_release.manifests.rewrite import find_images  # noqa: PLC0415  (comparing two trees reads none)

            images: dict[Repository, list[FoundImage]] = {service.repository: [] for service in self.config.services}
            for path, data in self.manifests(tip):
                for image in find_images(data, path, images.keys()):
                    images[image.reference.repository].append(image)
            self._deployed[tip.commit] = images
        return self._deployed[tip.commit]

    def is_edited(self, at: Callable[[], str]) -> Callable[[bytes], bool]:
        """Return whether a release may edit a file: it holds an image of a service at the commit that `at` gives.

        The manifests are read when the first file is asked about.
        """

        @cache
        def files() -> frozenset[bytes]:
            images = self.deployed(Tip(self.config.branch, at(), None))
            paths = {image.path for own in images.values() for image in own}
            return frozenset(path.encode("utf-8", "surrogateescape") for path in paths)

        return lambda path: path in files()

    def manifests(self, tip: Tip) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of each manifest at the tip; a symbolic link is never followed."""
        for file in self.git.tree_files(tip.commit, self.config.manifests):
            if is_manifest(file.path) and not file.is_link:
                yield file.path.decode("utf-8", "surrogateescape"), self.git.blob(file.blob)

    def not_named(self, service: Service, hint: str = "") -> NotFoundError:
        name_it = f"name it in a workload or a kustomization under {self.config.manifests}, on the release branch."
        return NotFoundError(f"no manifest names {service.repository}", hint or name_it)

    def commit_of(self, reference: ImageReference, registry: Registry | None = None) -> str | None:
        """Return the commit that a `sha-` tag names: git's answer, else the image's own label; None if unknown.

        An image that is deployed by its digest alone can only be asked for its label.
        """
        prefix = reference.tag.commit_prefix if reference.tag else None
        asked = reference.tag if prefix else reference.digest if reference.tag is None else None
        commit = self.git.commit_of_prefix(prefix) if prefix else None
        if commit or registry is None or asked is None:
            return commit
        image = registry.image(reference.repository, asked)
        return self.git.fetch_commit(image.revision) if image and image.revision else None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit can be reached from another; about several pairs ask `git.history` once."""
        return self.git.history([older, newer]).is_ancestor(older, newer)
