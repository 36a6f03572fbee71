"""A release that is to be taken back: what it replaced, and what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_release.errors import NotFoundError
from orbit_release.flows.restore_images import restored_image, why_left
from orbit_release.flows.source import Source
from orbit_release.git.clone import Tip
from orbit_release.image import ImageReference, not_among
from orbit_release.manifests.objects import is_kustomization, is_manifest
from orbit_release.manifests.proof import same_but_for_images
from orbit_release.manifests.rewrite import Edit, NewImage
from orbit_release.manifests.workloads import is_of
from orbit_release.releases.release import Release
from orbit_release.releases.timeline import is_fixed
from orbit_release.service import Service

if TYPE_CHECKING:
    from orbit_release.registry.client import Registry


@dataclass(frozen=True, slots=True)
class Undo:
    """A release that is to be taken back, and its commit."""

    source: Source
    release: Release
    commit: str

    @property
    def services(self) -> Mapping[str, Service]:
        """The services that it released, by name."""
        return {service.name: service for service in self.source.config.services if self._edits(service)}

    def before(self, service: Service, running: Iterable[ImageReference], registry: Registry | None) -> NewImage | str:
        """Return what a service goes back to, or why it does not; `running` are the images in the cluster."""
        edits = self._edits(service)
        # A kustomization's reference stands in the place of what the containers say.
        edits = [edit for edit in edits if is_kustomization(edit.path)] or edits
        if not_among((edit.after for edit in edits), running):
            return f"does not run {edits[0].after.version} yet"
        before = list(dict.fromkeys(edit.before for edit in edits))
        if len(before) > 1:
            return f"ran {' and '.join(reference.version for reference in before)} before"
        if not is_fixed(before[0]):
            return why_left(before[0])
        try:
            return restored_image(registry, service, before[0], others=())
        except NotFoundError as error:
            return f"cannot: {error.message}"

    def changed_since(self, service: Service, tip: Tip) -> str:
        """Return what somebody did to a service after the release, "" where they did nothing."""
        tags = {edit.after.tag for edit in self._edits(service)}
        for image in self.source.deployed(tip)[service.repository]:
            if image.reference.tag not in tags:
                return f"went on to {image.reference.version}"
            if image.hold is not None:
                return f"is held: {image.hold}"
        return ""

    def _edits(self, service: Service) -> list[Edit]:
        return [edit for edit in self.release.edits if edit.after.repository == service.repository]

    def changed_besides(self, older: str, seen: str) -> str:
        """Return a path that changed between two commits by more than the services' images, "" for none.

        Where the older commit is not known, it is the one before the release.
        """
        git, folder = self.source.git, self.source.config.manifests
        base = git.commit(older) if older else git.commit(f"{self.commit}^")
        for file in git.changes([base], seen)[base]:
            path = file.path.decode("utf-8", "surrogateescape")
            # Beside the sources only manifests count; in a folder of their own whatever they may be made from.
            counts = is_manifest(file.path) if folder == "." else path.startswith(f"{folder}/")
            if counts and not (is_manifest(file.path) and self._same_but_for_images(path, base, seen)):
                return path
        return ""

    def _same_but_for_images(self, path: str, base: str | None, seen: str) -> bool:
        git, ours = self.source.git, [service.repository for service in self.source.config.services]
        before = git.file(base, path) if base else None
        return same_but_for_images(before, git.file(seen, path), lambda image: any(is_of(image, name) for name in ours))
